//! The fields of a request for people: their types, and what the proto says of them.

use std::collections::HashSet;

use prost_reflect::{FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use super::kind;

/// How deep messages within messages are explained: as deep as the template is filled.
const MAX_DEPTH: usize = 3;
/// How many lines of one comment are shown.
const MAX_LINES: usize = 20;

/// The comment of the method, and its fields with theirs, a line each.
pub(super) fn lines(method: &MethodDescriptor) -> Vec<String> {
    let mut lines = comment(&method.parent_file(), method.path());
    let mut seen = HashSet::new();
    of_message(&method.input(), 0, &mut seen, &mut lines);
    lines
}

/// The first line that the proto says of a field.
pub(crate) fn summary(field: &FieldDescriptor) -> Option<String> {
    let message = field.parent_message();
    let comment = comment(&message.parent_file(), &path_of(field));
    comment.into_iter().next()
}

fn of_message(
    message: &MessageDescriptor,
    depth: usize,
    seen: &mut HashSet<String>,
    lines: &mut Vec<String>,
) {
    let indent = "  ".repeat(depth + 1);
    let mut fields: Vec<FieldDescriptor> = message.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    for field in &fields {
        let mut line = format!("{indent}{}: {}", field.json_name(), kind(field));
        if let Some(oneof) = field.containing_oneof().filter(|it| !it.is_synthetic()) {
            line.push_str(&format!(", one of {}", oneof.name()));
        }
        lines.push(line);
        let said = comment(&message.parent_file(), &path_of(field));
        lines.extend(said.into_iter().map(|it| format!("{indent}  {it}")));
        match field.kind() {
            Kind::Enum(values) => lines.extend(values.values().map(|value| {
                let path = [
                    values.path(),
                    &[2, index(value.parent_enum(), value.number())],
                ];
                let said = comment(&values.parent_file(), &path.concat());
                let said = said.first().map(|it| format!(": {it}"));
                format!("{indent}  {}{}", value.name(), said.unwrap_or_default())
            })),
            Kind::Message(inner)
                if !field.is_map()
                    && depth + 1 < MAX_DEPTH
                    && !inner.full_name().starts_with("google.protobuf.")
                    && seen.insert(inner.full_name().to_owned()) =>
            {
                of_message(&inner, depth + 1, seen, lines);
            }
            _ => {}
        }
    }
}

/// Where a field stands in its file. Extensions are not fields of requests here.
fn path_of(field: &FieldDescriptor) -> Vec<i32> {
    field.path().to_vec()
}

/// The place of a value among those of its enum.
fn index(values: &prost_reflect::EnumDescriptor, number: i32) -> i32 {
    let all = &values.enum_descriptor_proto().value;
    let found = all.iter().position(|it| it.number() == number);
    found.and_then(|it| i32::try_from(it).ok()).unwrap_or(-1)
}

/// The lines of a comment in a file, if the file has its comments.
fn comment(file: &FileDescriptor, path: &[i32]) -> Vec<String> {
    let Some(info) = &file.file_descriptor_proto().source_code_info else {
        return Vec::new();
    };
    let Some(place) = info.location.iter().find(|it| it.path == path) else {
        return Vec::new();
    };
    let texts = [&place.leading_comments, &place.trailing_comments];
    let lines = texts
        .into_iter()
        .flatten()
        .flat_map(|text| text.trim().lines());
    // They go to an editor, and to a terminal.
    let lines = lines.map(|line| crate::neutral::line(line.trim()).into_owned());
    lines.take(MAX_LINES).collect()
}
