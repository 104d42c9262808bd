use std::cell::OnceCell;
use std::ops::Deref;

use prost_reflect::DynamicMessage;
use prost_types::Any;

use super::condition::{Condition, NumberField, OptionalField, Predicate, TextField, TimeField};
use super::payload::{PayloadCondition, PayloadField, decode};
use super::text::nfc;
use crate::clock::Timestamp;
use crate::payload::type_name;
use crate::pb::rpc::Status;
use crate::store::{OperationRecord, OperationResult};

impl Predicate {
    /// Whether it is true of the operation.
    ///
    /// A payload is decoded at most once, and only when a condition looks into it.
    pub fn matches(&self, record: &OperationRecord) -> bool {
        Subject::new(record).satisfies(self)
    }
}

/// An operation that is being looked at.
struct Subject<'a> {
    record: &'a OperationRecord,
    /// The metadata with the standard fields, where it has any.
    filled: OnceCell<Option<Any>>,
    metadata: OnceCell<Option<DynamicMessage>>,
    response: OnceCell<Option<DynamicMessage>>,
}

impl<'a> Subject<'a> {
    fn new(record: &'a OperationRecord) -> Self {
        Self {
            record,
            filled: OnceCell::new(),
            metadata: OnceCell::new(),
            response: OnceCell::new(),
        }
    }

    fn satisfies(&self, predicate: &Predicate) -> bool {
        match predicate {
            Predicate::And(parts) => parts.iter().all(|part| self.satisfies(part)),
            Predicate::Or(parts) => parts.iter().any(|part| self.satisfies(part)),
            Predicate::Not(inner) => !self.satisfies(inner),
            // A missing part of the operation satisfies no condition.
            Predicate::Condition(condition) => self.holds(condition).unwrap_or(false),
        }
    }

    /// Nothing when the operation lacks what the condition is about.
    fn holds(&self, condition: &Condition) -> Option<bool> {
        match condition {
            Condition::Constant(value) => Some(*value),
            Condition::Text { field, test } => Some(test.accepts(self.text(*field)?)),
            Condition::Number {
                field,
                comparison,
                value,
            } => Some(comparison.holds(&self.number(*field)?, value)),
            Condition::Done(done) => Some(self.record.state.is_done() == *done),
            Condition::State(states) => Some(states.contains(&self.record.state)),
            Condition::Time {
                field,
                comparison,
                value,
            } => Some(comparison.holds(&self.time(*field)?, value)),
            Condition::Set { field, set } => Some(self.is_set(*field) == *set),
            Condition::Label { key, test } => Some(test.accepts(self.label(key)?)),
            Condition::LabelKey(test) => {
                let mut keys = self.record.labels.keys();
                Some(keys.any(|key| test.accepts(key)))
            }
            Condition::PayloadType { payload, test } => {
                Some(test.accepts(type_name(&self.any(*payload)?.type_url)))
            }
            Condition::Payload(condition) => self.payload(condition),
            Condition::Step(condition) => Some(condition.holds(self.record)),
        }
    }

    fn text(&self, field: TextField) -> Option<&'a str> {
        match field {
            TextField::Name => Some(self.record.name.as_str()),
            TextField::Method => Some(&self.record.method),
            TextField::ParentOperation => {
                let parent = self.record.parent_step.as_deref();
                parent.map(|parent| parent.operation.as_str())
            }
            TextField::ErrorMessage => self.error().map(|error| error.message.as_str()),
        }
    }

    fn number(&self, field: NumberField) -> Option<i64> {
        match field {
            NumberField::ErrorCode => self.error().map(|error| error.code.into()),
            NumberField::Attempt => Some(self.record.attempt.into()),
        }
    }

    fn time(&self, field: TimeField) -> Option<Timestamp> {
        match field {
            TimeField::Create => Some(self.record.create_time),
            TimeField::Update => Some(self.record.update_time),
            TimeField::Start => self.record.start_time,
            TimeField::End => self.record.end_time,
            TimeField::Expire => self.record.expire_time,
        }
    }

    fn is_set(&self, field: OptionalField) -> bool {
        match field {
            OptionalField::Time(time) => self.time(time).is_some(),
            OptionalField::Error => self.error().is_some(),
            OptionalField::Metadata => self.any(PayloadField::Metadata).is_some(),
            OptionalField::Response => self.any(PayloadField::Response).is_some(),
        }
    }

    fn label(&self, key: &str) -> Option<&'a str> {
        let labels = &self.record.labels;
        let found = labels.get(key).or_else(|| {
            let mut others = labels.iter().filter(|(other, _)| !other.is_ascii());
            others
                .find(|(other, _)| nfc(other) == key)
                .map(|(_, value)| value)
        });
        found.map(Deref::deref)
    }

    fn error(&self) -> Option<&'a Status> {
        match &self.record.result {
            Some(OperationResult::Error(status)) => Some(status),
            _ => None,
        }
    }

    /// A payload as callers see it.
    fn any(&self, field: PayloadField) -> Option<&Any> {
        let standard = self.record.origin.standard_metadata.as_ref();
        match (field, standard, &self.record.result) {
            (PayloadField::Metadata, None, _) => self.record.metadata.as_ref(),
            (PayloadField::Metadata, Some(standard), _) => {
                let filled = self.filled.get_or_init(|| standard.fill(self.record));
                filled.as_ref()
            }
            (PayloadField::Response, _, Some(OperationResult::Response(any))) => Some(any),
            (PayloadField::Response, ..) => None,
        }
    }

    fn payload(&self, condition: &PayloadCondition) -> Option<bool> {
        let any = self.any(condition.payload())?;
        let alternative = condition.alternative(any)?;
        let decoded = match condition.payload() {
            PayloadField::Metadata => &self.metadata,
            PayloadField::Response => &self.response,
        };
        let message = decoded.get_or_init(|| decode(alternative, any)).as_ref()?;
        Some(alternative.holds(message))
    }
}
