//! From a path to a field of a payload, by descriptor.

use prost_reflect::{FieldDescriptor, Kind, MapKey, MessageDescriptor};

use super::ast::Span;
use super::error::{FilterErrorKind, Problem, shown};
use super::payload::Step;
use super::resolve::{Name, not_a_message, unknown};
use super::text::nfc;

/// The way to a field in one type of payload.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) message: MessageDescriptor,
    pub(crate) steps: Vec<Step>,
    /// The field at the end; the map's `value` when the last step is a key.
    pub(crate) leaf: FieldDescriptor,
    /// It leads through a repeated field.
    pub(crate) through_repeated: bool,
}

/// The field of a payload by its name alone.
pub(crate) fn payload_field(
    messages: &[MessageDescriptor],
    name: &str,
    span: Span,
) -> Result<Vec<Route>, Problem> {
    routes(messages, &[Name { text: name, span }])
}

/// The ways to a field, one for every type of payload that has it.
pub(crate) fn routes(
    messages: &[MessageDescriptor],
    names: &[Name<'_>],
) -> Result<Vec<Route>, Problem> {
    let (mut routes, mut problems) = (Vec::new(), Vec::new());
    for message in messages {
        match route(message, names) {
            Ok(route) => routes.push(route),
            Err(problem) => problems.push(problem),
        }
    }
    if !routes.is_empty() {
        return Ok(routes);
    }
    Err(worst(problems).unwrap_or_else(|| {
        let (name, span) = names
            .first()
            .map_or(("", Span::default()), |n| (n.text, n.span));
        unknown(name, span, "the declared types", &[])
    }))
}

fn route(root: &MessageDescriptor, names: &[Name<'_>]) -> Result<Route, Problem> {
    let mut message = root.clone();
    let mut route: Option<Route> = None;
    let mut names = names.iter().peekable();
    while let Some(name) = names.next() {
        let field = message_field(&message, name.text, name.span)?;
        let found = route.get_or_insert_with(|| Route {
            message: root.clone(),
            steps: Vec::new(),
            leaf: field.clone(),
            through_repeated: false,
        });
        found.steps.push(Step::Field(field.clone()));
        found.leaf = field.clone();
        if field.is_map()
            && let Some(name) = names.next()
        {
            let (key, value) = map_entry(&field, name)?;
            found.steps.push(Step::Key(key));
            found.leaf = value;
        }
        if let Some(next) = names.peek() {
            found.through_repeated |= field.is_list();
            message = fields_of(&found.leaf, **next)?;
        }
    }
    route.ok_or_else(|| unknown("", Span::default(), root.full_name(), &[]))
}

fn map_entry(
    field: &FieldDescriptor,
    name: &Name<'_>,
) -> Result<(MapKey, FieldDescriptor), Problem> {
    let kind = field.kind();
    let entry = kind.as_message();
    let key = entry.map(|entry| entry.map_entry_key_field().kind());
    let key = match key {
        Some(Kind::String) => Some(MapKey::String(nfc(name.text).into_owned())),
        Some(Kind::Bool) => name.text.parse().ok().map(MapKey::Bool),
        Some(Kind::Int32 | Kind::Sint32 | Kind::Sfixed32) => {
            name.text.parse().ok().map(MapKey::I32)
        }
        Some(Kind::Int64 | Kind::Sint64 | Kind::Sfixed64) => {
            name.text.parse().ok().map(MapKey::I64)
        }
        Some(Kind::Uint32 | Kind::Fixed32) => name.text.parse().ok().map(MapKey::U32),
        Some(Kind::Uint64 | Kind::Fixed64) => name.text.parse().ok().map(MapKey::U64),
        _ => None,
    };
    match (key, entry) {
        (Some(key), Some(entry)) => Ok((key, entry.map_entry_value_field())),
        _ => Err(Problem::new(
            FilterErrorKind::TypeMismatch,
            name.span,
            format!("`{}` is no key of `{}`", shown(name.text), field.name()),
        )),
    }
}

/// The message whose fields may follow a dot.
fn fields_of(field: &FieldDescriptor, next: Name<'_>) -> Result<MessageDescriptor, Problem> {
    match field.kind() {
        Kind::Message(message) if !is_time(&message) => Ok(message),
        _ => Err(not_a_message(next)),
    }
}

/// The field of a message by its name, or by its name in JSON.
pub(crate) fn message_field(
    message: &MessageDescriptor,
    name: &str,
    span: Span,
) -> Result<FieldDescriptor, Problem> {
    let found = message.get_field_by_name(name);
    let found = found.or_else(|| message.get_field_by_json_name(name));
    found.ok_or_else(|| {
        let fields: Vec<_> = message.fields().collect();
        let names: Vec<&str> = fields.iter().map(FieldDescriptor::name).collect();
        unknown(name, span, &format!("`{}`", message.full_name()), &names)
    })
}

/// The problem to report when every type of payload has one: the most telling.
pub(crate) fn worst(problems: Vec<Problem>) -> Option<Problem> {
    let mut problems = problems;
    let telling = problems
        .iter()
        .position(|problem| problem.kind != FilterErrorKind::UnknownField);
    let index = telling.unwrap_or(0);
    (index < problems.len()).then(|| problems.swap_remove(index))
}

/// Whether a message is compared as one value.
pub(crate) fn is_time(message: &MessageDescriptor) -> bool {
    matches!(
        message.full_name(),
        "google.protobuf.Timestamp" | "google.protobuf.Duration"
    )
}
