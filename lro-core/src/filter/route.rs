//! From a path to a field of a payload, by descriptor.

use prost_reflect::{FieldDescriptor, Kind, MapKey, MessageDescriptor};

use super::ast::Span;
use super::error::{FilterErrorKind, Problem, shown};
use super::literal::choices;
use super::payload::{PayloadField, Step};
use super::resolve::{Name, TYPE, not_a_message, unknown};
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
    payload: PayloadField,
    messages: &[MessageDescriptor],
    name: &str,
    span: Span,
) -> Result<Vec<Route>, Problem> {
    routes(payload, messages, &[Name { text: name, span }])
}

/// The ways to a field, one for every type of payload that has it.
pub(crate) fn routes(
    payload: PayloadField,
    messages: &[MessageDescriptor],
    names: &[Name<'_>],
) -> Result<Vec<Route>, Problem> {
    let (mut routes, mut dead_ends) = (Vec::new(), Vec::new());
    for message in messages {
        match route(message, names) {
            Ok(route) => routes.push(route),
            Err(dead_end) => dead_ends.push(dead_end),
        }
    }
    if !routes.is_empty() {
        return Ok(routes);
    }
    // The type that was meant is most likely the one in which the path leads furthest.
    let furthest = dead_ends.iter().map(|end| end.depth).max();
    let first = names.first();
    let (name, span) = first.map_or(("", Span::default()), |name| (name.text, name.span));
    match furthest {
        None => Err(undeclared(payload, name, span)),
        Some(0) if messages.len() > 1 => Err(in_no_type(payload, messages, name, span)),
        Some(furthest) => {
            let ends = dead_ends.into_iter().filter(|end| end.depth == furthest);
            let problems = ends.map(|end| end.problem).collect();
            Err(worst(problems).unwrap_or_else(|| undeclared(payload, name, span)))
        }
    }
}

/// Where a path ends in one type of payload.
struct DeadEnd {
    /// How many names of the path lead to a field.
    depth: usize,
    problem: Problem,
}

/// A field of a payload whose types the schema does not declare.
fn undeclared(payload: PayloadField, name: &str, span: Span) -> Problem {
    let of = payload.name();
    let message = format!(
        "no types of {of} are declared, so there is no field `{}` of it",
        shown(name)
    );
    Problem::new(FilterErrorKind::UnknownField, span, message).hint(format!(
        "the server declares them by OperationsBuilder::file_descriptor_set; \
         without, write `{of}:*` or `{of}.{TYPE} = \"package.Message\"`"
    ))
}

/// A field that none of several types has.
fn in_no_type(
    payload: PayloadField,
    messages: &[MessageDescriptor],
    name: &str,
    span: Span,
) -> Problem {
    let of = payload.name();
    let message = format!("no type of {of} has a field `{}`", shown(name));
    let problem = Problem::new(FilterErrorKind::UnknownField, span, message);
    let names: Vec<&str> = messages.iter().map(MessageDescriptor::full_name).collect();
    problem.hint(choices("the types are", &names))
}

fn route(root: &MessageDescriptor, names: &[Name<'_>]) -> Result<Route, DeadEnd> {
    let mut message = root.clone();
    let mut route: Option<Route> = None;
    let mut names = names.iter().enumerate().peekable();
    while let Some((depth, name)) = names.next() {
        let end = |depth: usize| move |problem| DeadEnd { depth, problem };
        let field = message_field(&message, name.text, name.span).map_err(end(depth))?;
        let found = route.get_or_insert_with(|| Route {
            message: root.clone(),
            steps: Vec::new(),
            leaf: field.clone(),
            through_repeated: false,
        });
        found.steps.push(Step::Field(field.clone()));
        found.leaf = field.clone();
        if field.is_map()
            && let Some((depth, name)) = names.next()
        {
            let (key, value) = map_entry(&field, name).map_err(end(depth))?;
            found.steps.push(Step::Key(key));
            found.leaf = value;
        }
        if let Some((depth, next)) = names.peek() {
            found.through_repeated |= field.is_list();
            message = fields_of(&found.leaf, **next).map_err(end(*depth))?;
        }
    }
    route.ok_or_else(|| DeadEnd {
        depth: 0,
        problem: unknown("", Span::default(), root.full_name(), &[]),
    })
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
        )
        .hint("write a key of the map's type after the dot, such as a number")),
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
