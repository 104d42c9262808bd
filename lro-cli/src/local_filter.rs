//! Filters that the command evaluates itself (AIP-160), for servers that do not, and while it waits.

use std::sync::{Mutex, PoisonError};

use lro_core::filter::{Filter, FilterError, FilterErrorKind, Schema};
use lro_core::store::{NewOperation, OperationRecord, OperationResult, OperationState, Origin};
use lro_core::{Timestamp, pb};
use prost_types::Any;
use tonic::Status;
use uuid::Uuid;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::shown::{Shown, State};

/// A filter, checked against the types of the operations that were seen.
#[derive(Debug)]
pub(crate) struct LocalFilter {
    text: String,
    known: Mutex<Known>,
}

/// A field of operations with types of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    Metadata,
    Response,
}

impl Payload {
    const ALL: [Self; 2] = [Self::Metadata, Self::Response];

    /// How a filter names its fields.
    fn path(self) -> &'static str {
        match self {
            Self::Metadata => "metadata.",
            Self::Response => "response.",
        }
    }

    fn of(self, record: &OperationRecord) -> Option<&Any> {
        match (self, &record.result) {
            (Self::Metadata, _) => record.metadata.as_ref(),
            (Self::Response, Some(OperationResult::Response(response))) => Some(response),
            (Self::Response, _) => None,
        }
    }
}

/// The filter as it is with the types that are known by now.
#[derive(Debug)]
struct Known {
    schema: Schema,
    /// The names of the types, by the field that has them.
    types: Vec<(Payload, String)>,
    filter: Result<Filter, FilterError>,
}

impl LocalFilter {
    /// A filter. Fields of metadata and responses are checked when operations that have them were seen.
    ///
    /// # Errors
    ///
    /// When it is malformed, whatever fields there are.
    pub(crate) fn new(text: &str) -> Result<Self, Failure> {
        let schema = Schema::default();
        let filter = Filter::parse(text, &schema);
        match &filter {
            Err(error) if error.kind() != FilterErrorKind::UnknownField => {
                return Err(malformed(error, text));
            }
            _ => {}
        }
        Ok(Self {
            text: text.to_owned(),
            known: Mutex::new(Known {
                filter,
                schema,
                types: Vec::new(),
            }),
        })
    }

    /// Whether the operation matches. One without a response, say, does not match a filter that names
    /// a field of responses while no type of response was seen.
    ///
    /// # Errors
    ///
    /// When the filter is malformed, or names fields that no type has which was seen.
    pub(crate) fn matches(&self, context: &Context, shown: &Shown) -> Result<bool, Failure> {
        let record = record(shown).ok_or_else(|| {
            let name = shown.name();
            Failure::new(
                Exit::Fault,
                format!("`{name}` is no name of an operation, and cannot be filtered"),
            )
        })?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.learn(context, &record, &self.text);
        match &known.filter {
            Ok(filter) => Ok(filter.matches(&record)),
            Err(error) if known.lacks_type(error, &record, &self.text) => Ok(false),
            Err(error) => {
                let failure = malformed(error, &self.text);
                Err(match shown.opaque.first() {
                    Some(name) => failure.advise(format!(
                        "the fields of {name} are not known: give --descriptor-set"
                    )),
                    None => failure,
                })
            }
        }
    }
}

/// The failure of a filter that the command evaluates itself.
fn malformed(error: &FilterError, text: &str) -> Failure {
    let status = Status::from(error.clone());
    Failure::of_call(&status, "cannot filter", Some(text)).saying("the filter cannot be evaluated")
}

impl Known {
    /// Whether the error is about a field of a payload that this operation does not have, and of
    /// which no type was seen: whether there is such a field is not known yet.
    fn lacks_type(&self, error: &FilterError, record: &OperationRecord, text: &str) -> bool {
        let before: String = text.chars().take(error.offset()).collect();
        let is_unknown = |payload: &Payload| {
            before.ends_with(payload.path())
                && payload.of(record).is_none()
                && !self.types.iter().any(|(of, _)| of == payload)
        };
        error.kind() == FilterErrorKind::UnknownField && Payload::ALL.iter().any(is_unknown)
    }

    /// Adds the types of the operation, and checks the filter again if they are new.
    fn learn(&mut self, context: &Context, record: &OperationRecord, text: &str) {
        let mut schema = self.schema.to_builder();
        let mut is_new = false;
        for payload in Payload::ALL {
            let Some(message) = payload.of(record) else {
                continue;
            };
            let name = lro_core::type_name(&message.type_url);
            let key = (payload, name.to_owned());
            let descriptor = context.types.pool().get_message_by_name(name);
            let (false, Some(descriptor)) = (self.types.contains(&key), descriptor) else {
                continue;
            };
            schema = match payload {
                Payload::Metadata => schema.metadata(descriptor),
                Payload::Response => schema.response(descriptor),
            };
            self.types.push(key);
            is_new = true;
        }
        if is_new {
            self.schema = schema.build();
            self.filter = Filter::parse(text, &self.schema);
        }
    }
}

/// The record of an operation, as far as the server tells it. `None` if its name is none of the
/// standard's.
fn record(shown: &Shown) -> Option<OperationRecord> {
    let name: lro_core::OperationName = shown.name().parse().ok()?;
    let told = shown.record.as_deref();
    let uid = name.operation_id().parse().unwrap_or(Uuid::nil());
    let method = told.map_or("", |told| &*told.method);
    let mut new = NewOperation::new(uid, name, method, Any::default());
    new.metadata = shown.operation.metadata.clone();
    if let Some(told) = told {
        new.labels = told.labels.clone().into_iter().collect();
        new.origin = Origin {
            principal: told.principal.clone(),
            ..Origin::default()
        };
    }
    let created = shown.created().unwrap_or(Timestamp::EPOCH);
    let mut record = OperationRecord::new(new, created);
    record.state = match shown.state_name() {
        "PENDING" => OperationState::Pending,
        "CANCELLING" => OperationState::Cancelling,
        _ => match shown.state {
            State::Running => OperationState::Running,
            State::Succeeded => OperationState::Succeeded,
            State::Failed => OperationState::Failed,
            State::Cancelled => OperationState::Cancelled,
        },
    };
    record.result = match shown.operation.result.clone() {
        Some(pb::operation::Result::Response(response)) => {
            Some(OperationResult::Response(response))
        }
        Some(pb::operation::Result::Error(error)) => Some(OperationResult::Error(error)),
        None => None,
    };
    record.start_time = shown.started();
    record.end_time = shown.ended();
    record.attempt = told.map_or(0, |told| u32::try_from(told.attempt).unwrap_or(0));
    Some(record)
}
