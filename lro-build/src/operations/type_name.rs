//! The names in an `operation_info`.

use prost_reflect::{DescriptorPool, MessageDescriptor};

/// The message of this name, for an rpc of this package.
pub(super) fn resolve(
    pool: &DescriptorPool,
    package: &str,
    name: &str,
) -> Option<MessageDescriptor> {
    // The pool would take a leading dot, too.
    if name.starts_with('.') {
        return None;
    }
    pool.get_message_by_name(&full_name(package, name))
}

/// What is wrong with a name that is not a message's, and which one was probably meant.
pub(super) fn advise(pool: &DescriptorPool, package: &str, field: &str, name: &str) -> String {
    if name.is_empty() {
        return format!(
            "{field} is empty; write `{field}: \"..\"` with the name of a message, or \
             `{field}: \"google.protobuf.Empty\"` if there is nothing to carry"
        );
    }
    let is_message = |name: &str| pool.get_message_by_name(name).is_some();
    if let Some(bare) = name.strip_prefix('.') {
        return format!("{field} \"{name}\" starts with a dot; write `{field}: \"{bare}\"`");
    }
    let full_name = full_name(package, name);
    if pool.get_enum_by_name(&full_name).is_some() {
        return format!(
            "{field} \"{name}\" is an enum; write the name of a message, such as one with a field \
             of that enum"
        );
    }
    if name.contains('.') {
        let nested = qualify(package, name);
        if is_message(&nested) {
            return format!(
                "{field} \"{name}\" is looked up as a full name, because it has a dot; write \
                 `{field}: \"{nested}\"`"
            );
        }
        if let Some(file) = well_known_file(name) {
            return format!(
                "{field} \"{name}\" is not imported; write `import \"{file}\";` at the top of \
                 the file"
            );
        }
        let all: Vec<MessageDescriptor> = pool.all_messages().collect();
        let near = nearest(name, all.iter().map(MessageDescriptor::full_name));
        return format!(
            "{field} \"{name}\" is not a message of this file or its imports{near}; write the \
             full name of one, with its package, and import its file"
        );
    }
    let elsewhere = pool.all_messages().find(|message| message.name() == name);
    match elsewhere {
        Some(message) => format!(
            "{field} \"{name}\" is not a message of package {package}; write `{field}: \"{}\"`",
            message.full_name(),
        ),
        None => {
            let ours: Vec<MessageDescriptor> = pool
                .all_messages()
                .filter(|it| it.full_name() == qualify(package, it.name()))
                .collect();
            let near = nearest(name, ours.iter().map(MessageDescriptor::name));
            format!(
                "{field} \"{name}\" is not a message of package {package}{near}; write the name \
                 of one, or the full name of a message of another package"
            )
        }
    }
}

/// ` (did you mean "Response"?)`, if there is a name like this one.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    // Three letters, or a third of them, are a slip; more is another name.
    let last = name.rsplit('.').next().unwrap_or_default();
    let limit = (last.chars().count() / 3).clamp(1, 3);
    let lower = name.to_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .map(|other| (strsim::osa_distance(&lower, &other.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.dedup();
    let quoted: Vec<String> = near
        .iter()
        .take(3)
        .map(|(_, it)| format!("\"{it}\""))
        .collect();
    if quoted.is_empty() {
        String::new()
    } else {
        format!(" (did you mean {}?)", quoted.join(" or "))
    }
}

/// A name without a dot belongs to the package, any other one is full.
pub(super) fn full_name(package: &str, name: &str) -> String {
    if name.contains('.') {
        name.to_owned()
    } else {
        qualify(package, name)
    }
}

fn qualify(package: &str, name: &str) -> String {
    if package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}

fn well_known_file(name: &str) -> Option<&'static str> {
    match name.strip_prefix("google.protobuf.")? {
        "Any" => Some("google/protobuf/any.proto"),
        "Duration" => Some("google/protobuf/duration.proto"),
        "Empty" => Some("google/protobuf/empty.proto"),
        "FieldMask" => Some("google/protobuf/field_mask.proto"),
        "ListValue" | "Struct" | "Value" => Some("google/protobuf/struct.proto"),
        "Timestamp" => Some("google/protobuf/timestamp.proto"),
        "BoolValue" | "BytesValue" | "DoubleValue" | "FloatValue" | "Int32Value" | "Int64Value"
        | "StringValue" | "UInt32Value" | "UInt64Value" => Some("google/protobuf/wrappers.proto"),
        _ => None,
    }
}
