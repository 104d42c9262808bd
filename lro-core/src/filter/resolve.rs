//! From a path in the filter to a field of the schema.

use prost_reflect::MessageDescriptor;

use super::ast::{Path, Span};
use super::condition::{NumberField, TextField, TimeField};
use super::error::{FilterErrorKind, Problem, shown};
use super::limits::MAX_DEPTH;
use super::literal::choices;
use super::payload::PayloadField;
use super::route::{Route, routes};
use super::schema::{Meaning, Schema, is_camel};
use super::text::nfc;
use crate::store::{OperationState, StepKind};

/// The target of a path.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Text(TextField),
    Number(NumberField),
    Done,
    State(Vec<(String, Vec<OperationState>)>),
    Time(TimeField),
    Error,
    Labels,
    Label(String),
    /// The metadata or the response itself, and the types it may be of.
    Payload(PayloadField, Vec<MessageDescriptor>),
    /// The full name of its type.
    PayloadType(PayloadField),
    /// A field of it: at least one way.
    InPayload(PayloadField, Vec<Route>),
    /// Its wait.
    Step(StepField),
}

/// A field of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepField {
    Waiting,
    Blocked,
    Key,
    Kind,
}

/// The kinds of calls, as filters name them.
pub(crate) const STEP_KINDS: [(&str, StepKind); 9] = [
    ("STEP", StepKind::Step),
    ("SLEEP", StepKind::Sleep),
    ("PROMISE", StepKind::Promise),
    ("FIRST", StepKind::First),
    ("INTRODUCED", StepKind::Introduced),
    ("SAGA_STEP", StepKind::SagaStep),
    ("CHILD", StepKind::Child),
    ("SAGA_CHILD", StepKind::SagaChild),
    ("UNDO", StepKind::Undo),
];

const STATES: [(&str, OperationState); 6] = [
    ("PENDING", OperationState::Pending),
    ("RUNNING", OperationState::Running),
    ("CANCELLING", OperationState::Cancelling),
    ("SUCCEEDED", OperationState::Succeeded),
    ("FAILED", OperationState::Failed),
    ("CANCELLED", OperationState::Cancelled),
];

const FIELDS: [&str; 17] = [
    "name",
    "method",
    "done",
    "state",
    "create_time",
    "update_time",
    "start_time",
    "end_time",
    "expire_time",
    "error",
    "labels",
    "attempt",
    "metadata",
    "response",
    "waiting",
    "blocked",
    "parent_operation",
];

/// The name of a payload's type, as in JSON.
pub(crate) const TYPE: &str = "@type";

/// One name of a path.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) text: &'a str,
    pub(crate) span: Span,
}

pub(crate) fn resolve(schema: &Schema, path: &Path) -> Result<Target, Problem> {
    let Some((first, _)) = path.segments.split_first() else {
        return Err(unknown("", path.span, "operations", &FIELDS));
    };
    if first.quoted {
        return Err(Problem::new(
            FilterErrorKind::QuotedField,
            first.span,
            "a quoted string is a literal, but a field must stand here",
        )
        .hint("write the field without quotes, and on the left"));
    }
    if path.segments.len() > MAX_DEPTH {
        let message = format!("a field path has at most {MAX_DEPTH} names");
        return Err(Problem::new(FilterErrorKind::TooDeep, path.span, message));
    }
    let mut names = path.segments.iter().map(|segment| Name {
        text: &segment.text,
        span: segment.span,
    });
    match schema.field(&first.text).map(|(_, field)| &field.means) {
        Some(Meaning::States(values)) => leaf(Target::State(values.clone()), names.nth(1)),
        Some(Meaning::Path(target)) => {
            let renamed = target.iter().map(|text| Name {
                text,
                span: first.span,
            });
            known(schema, &renamed.chain(names.skip(1)).collect::<Vec<_>>())
        }
        None if schema.is_closed() => {
            let declared: Vec<&str> = schema.fields().map(|(name, _)| name).collect();
            Err(unknown(&first.text, first.span, "operations", &declared))
        }
        None => known(schema, &names.collect::<Vec<_>>()),
    }
}

/// A field of every operation.
fn known(schema: &Schema, names: &[Name<'_>]) -> Result<Target, Problem> {
    let Some((first, rest)) = names.split_first() else {
        return Err(unknown("", Span::default(), "operations", &FIELDS));
    };
    let is = |field: &str| first.text == field || is_camel(field, first.text);
    let next = rest.first().copied();
    let after_next = rest.get(1).copied();
    let time = |field| leaf(Target::Time(field), next);
    match first.text {
        "name" => leaf(Target::Text(TextField::Name), next),
        "method" => leaf(Target::Text(TextField::Method), next),
        "done" => leaf(Target::Done, next),
        "attempt" => leaf(Target::Number(NumberField::Attempt), next),
        "state" => {
            let values = STATES.map(|(name, state)| (name.to_owned(), vec![state]));
            leaf(Target::State(values.to_vec()), next)
        }
        _ if is("create_time") => time(TimeField::Create),
        _ if is("update_time") => time(TimeField::Update),
        _ if is("start_time") => time(TimeField::Start),
        _ if is("end_time") => time(TimeField::End),
        _ if is("expire_time") => time(TimeField::Expire),
        "error" => match next {
            None => Ok(Target::Error),
            Some(name) => leaf(error_field(name.text, name.span)?, after_next),
        },
        "labels" => match next {
            None => Ok(Target::Labels),
            Some(key) => leaf(Target::Label(nfc(key.text).into_owned()), after_next),
        },
        "waiting" => match next {
            None => Ok(Target::Step(StepField::Waiting)),
            Some(name) => leaf(wait_field(name)?, after_next),
        },
        _ if is("parent_operation") => leaf(Target::Text(TextField::ParentOperation), next),
        "blocked" => leaf(Target::Step(StepField::Blocked), next),
        "metadata" => in_payload(PayloadField::Metadata, schema.metadata(), rest),
        "response" => in_payload(PayloadField::Response, schema.response(), rest),
        other => {
            let mut fields: Vec<&str> = FIELDS.to_vec();
            fields.extend(schema.fields().map(|(name, _)| name));
            Err(unknown(other, first.span, "operations", &fields))
        }
    }
}

fn wait_field(name: Name<'_>) -> Result<Target, Problem> {
    match name.text {
        "step" => Ok(Target::Step(StepField::Key)),
        "kind" => Ok(Target::Step(StepField::Kind)),
        other => Err(unknown(other, name.span, "`waiting`", &["step", "kind"])),
    }
}

/// A field of the error.
pub(crate) fn error_field(name: &str, span: Span) -> Result<Target, Problem> {
    match name {
        "code" => Ok(Target::Number(NumberField::ErrorCode)),
        "message" => Ok(Target::Text(TextField::ErrorMessage)),
        other => Err(unknown(other, span, "`error`", &["code", "message"])),
    }
}

fn in_payload(
    payload: PayloadField,
    messages: &[MessageDescriptor],
    names: &[Name<'_>],
) -> Result<Target, Problem> {
    match names {
        [] => Ok(Target::Payload(payload, messages.to_vec())),
        [name, rest @ ..] if name.text == TYPE => {
            leaf(Target::PayloadType(payload), rest.first().copied())
        }
        names => routes(payload, messages, names).map(|routes| Target::InPayload(payload, routes)),
    }
}

fn leaf(target: Target, next: Option<Name<'_>>) -> Result<Target, Problem> {
    match next {
        None => Ok(target),
        Some(next) => Err(not_a_message(next)),
    }
}

pub(crate) fn not_a_message(next: Name<'_>) -> Problem {
    Problem::new(
        FilterErrorKind::NotAMessage,
        next.span,
        format!("`{}` follows a field that has no fields", shown(next.text)),
    )
    .hint("end the path before it, or quote a literal that holds a dot")
}

pub(crate) fn unknown(name: &str, span: Span, of: &str, fields: &[&str]) -> Problem {
    let message = format!("there is no field `{}` of {of}", shown(name));
    let problem = Problem::new(FilterErrorKind::UnknownField, span, message);
    match fields {
        [] => problem,
        fields => problem.hint(choices("the fields are", fields)),
    }
}
