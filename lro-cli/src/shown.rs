//! Operations as the command shows them.

use std::fmt;
use std::time::Duration;

use lro_core::inspection::{OperationRecord, operation_record};
use lro_core::{Timestamp, pb};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::exit::{Exit, code_name};
use crate::inspection::{short_method, time};
use crate::output::lookup;
use crate::progress::Progress;

/// The state of an operation, as far as the standard tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum State {
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl State {
    pub(crate) fn of(operation: &pb::Operation) -> Self {
        match &operation.result {
            _ if !operation.done => Self::Running,
            Some(pb::operation::Result::Error(status)) if status.code == 1 => Self::Cancelled,
            Some(pb::operation::Result::Error(_)) => Self::Failed,
            // The standard allows an operation that is done without a result.
            Some(pb::operation::Result::Response(_)) | None => Self::Succeeded,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// How `wait` ends with such an operation.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Running => Exit::TimedOut,
            Self::Succeeded => Exit::Done,
            Self::Failed => Exit::Failed,
            Self::Cancelled => Exit::Cancelled,
        }
    }
}

/// An operation, decoded.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) operation: pb::Operation,
    pub(crate) state: State,
    /// As JSON, compact and without default values.
    pub(crate) json: String,
    /// As JSON with default values, for columns and paths.
    pub(crate) tree: Value,
    pub(crate) progress: Option<Progress>,
    /// The types that are shown as base64, because they are unknown.
    pub(crate) opaque: Vec<String>,
    /// Whether bytes that do not fit their type are shown as base64.
    pub(crate) broken: bool,
    /// Its record from the server's inspection service, where the server has one.
    pub(crate) record: Option<Box<OperationRecord>>,
}

/// The members of a JSON object, in their order and as they are written.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

impl Shown {
    pub(crate) fn name(&self) -> &str {
        &self.operation.name
    }

    /// With what the inspection service tells.
    pub(crate) fn with_record(mut self, record: Option<OperationRecord>) -> Self {
        self.record = record.map(Box::new);
        self
    }

    /// The state, as exactly as the server tells it.
    pub(crate) fn state_name(&self) -> &'static str {
        let told = self.record.as_ref().map(|record| record.state());
        match told {
            Some(told) if told != operation_record::State::Unspecified => told.as_str_name(),
            _ => self.state.name(),
        }
    }

    /// The method that started it, where the server tells it.
    pub(crate) fn method(&self) -> Option<&str> {
        let method = &*self.record.as_ref()?.method;
        Some(short_method(method))
    }

    /// A time of the record.
    fn told(
        &self,
        time_of: impl Fn(&OperationRecord) -> &Option<prost_types::Timestamp>,
    ) -> Option<Timestamp> {
        time(time_of(self.record.as_deref()?).as_ref())
    }

    /// The full name of the metadata's type.
    pub(crate) fn metadata_type(&self) -> Option<&str> {
        let url = &self.operation.metadata.as_ref()?.type_url;
        Some(lro_core::type_name(url))
    }

    /// The error, as its code's name and its message.
    pub(crate) fn error(&self) -> Option<(String, &str)> {
        match &self.operation.result {
            Some(pb::operation::Result::Error(status)) if self.operation.done => {
                Some((code_name(status.code), &status.message))
            }
            _ => None,
        }
    }

    /// A time in the metadata, by a field's name of the standard's examples.
    pub(crate) fn time(&self, names: &[&str]) -> Option<Timestamp> {
        let metadata = self.tree.get("metadata")?;
        names
            .iter()
            .find_map(|name| read_time(metadata.get(*name)?))
    }

    /// When it was created: by its metadata, or by the time in its name, if that is a UUID of
    /// version 7.
    pub(crate) fn created(&self) -> Option<Timestamp> {
        let told = self.told(|it| &it.create_time);
        let told = told.or_else(|| self.time(&["createTime", "startTime"]));
        told.or_else(|| time_in_name(self.name()))
    }

    /// When its body first ran.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        let told = self.told(|it| &it.start_time);
        told.or_else(|| self.time(&["startTime"]))
    }

    pub(crate) fn ended(&self) -> Option<Timestamp> {
        let told = self.told(|it| &it.end_time);
        told.or_else(|| self.time(&["endTime"]))
    }

    /// How long ago it was created.
    pub(crate) fn age(&self, now: Timestamp) -> Option<Duration> {
        Some(now.since(self.created()?))
    }

    /// How long it ran, where the metadata tells both ends.
    pub(crate) fn duration(&self) -> Option<Duration> {
        let from = self.started();
        let from = from.or_else(|| self.time(&["startTime", "createTime"]))?;
        Some(self.ended()?.since(from))
    }

    /// The response as compact JSON, without its type.
    pub(crate) fn response(&self) -> Option<String> {
        let members: Members = serde_json::from_str(&self.json).ok()?;
        let response = members
            .0
            .into_iter()
            .find(|(name, _)| name == "response")?
            .1;
        let members: Members = serde_json::from_str(response.get()).ok()?;
        let typed = members.0.iter().any(|(name, _)| name == "@type");
        let rest: Vec<_> = members
            .0
            .into_iter()
            .filter(|(name, _)| name != "@type")
            .collect();
        match &*rest {
            // A well-known type, whose JSON stands in one member. An unknown type has it too, and
            // then the type is all that there is to know.
            [(name, value)]
                if typed && name == "value" && !self.broken && !self.is_opaque("response") =>
            {
                Some(value.get().to_owned())
            }
            [(name, _)] if typed && name == "value" => Some(response.get().to_owned()),
            rest => {
                let members = rest.iter().map(|(name, value)| {
                    let name = serde_json::to_string(name).unwrap_or_default();
                    format!("{name}:{}", value.get())
                });
                Some(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
            }
        }
    }

    /// Whether a part is shown as base64, because its type is unknown.
    fn is_opaque(&self, part: &str) -> bool {
        self.opaque.iter().any(|name| {
            let url = lookup(&self.tree, part).and_then(|it| it.get("@type")?.as_str());
            url.is_some_and(|url| lro_core::type_name(url) == name)
        })
    }

    /// One line about how far it is, for people.
    pub(crate) fn summary(&self) -> String {
        if let Some((code, message)) = self.error() {
            return format!("{code}: {message}");
        }
        let text = |name| {
            let value = lookup(&self.tree, &format!("metadata.{name}"))?;
            Some(value.as_str()?.to_owned())
        };
        let status = [
            "statusMessage",
            "message",
            "status",
            "stage",
            "phase",
            "step",
            "current",
        ];
        let detail = status
            .into_iter()
            .filter_map(text)
            .find(|it| !it.is_empty());
        let counted = self.progress.as_ref().map(|it| it.text.clone());
        let step = (self.state == State::Running)
            .then(|| step_of(&self.tree))
            .flatten();
        let parts = [counted, detail, step]
            .into_iter()
            .flatten()
            .filter(|it| !it.is_empty());
        parts.collect::<Vec<_>>().join(" · ")
    }
}

/// The durable call that an operation is at, where its metadata has the standard fields.
fn step_of(tree: &Value) -> Option<String> {
    let text = |name: &str| {
        let value = lookup(tree, &format!("metadata.{name}"))?.as_str()?;
        (!value.is_empty()).then_some(value)
    };
    let blocked = text("blockedReason").map(|reason| format!("blocked: {reason}"));
    let waits = || text("waitingFor").map(|call| format!("waits for {call}"));
    let step = || text("currentStep").map(|step| format!("step {step}"));
    blocked.or_else(waits).or_else(step)
}

pub(crate) fn read_time(value: &Value) -> Option<Timestamp> {
    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Timestamp::from_micros(time.as_microsecond()))
}

/// When an operation was created, as far as its name tells.
pub(crate) fn created_by_name(name: &str) -> Option<Timestamp> {
    time_in_name(name)
}

fn time_in_name(name: &str) -> Option<Timestamp> {
    let id = name.rsplit('/').next()?;
    let id: uuid::Uuid = id.parse().ok()?;
    if id.get_version_num() != 7 {
        return None;
    }
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
    Some(Timestamp::from_micros(micros + i64::from(nanos / 1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_what_the_wire_says() {
        let mut operation = pb::Operation::default();
        assert_eq!(State::of(&operation), State::Running);
        operation.done = true;
        assert_eq!(State::of(&operation), State::Succeeded);
        for (code, state) in [
            (1, State::Cancelled),
            (5, State::Failed),
            (-3, State::Failed),
        ] {
            let status = pb::rpc::Status {
                code,
                ..Default::default()
            };
            operation.result = Some(pb::operation::Result::Error(status));
            assert_eq!(State::of(&operation), state);
        }
    }

    #[test]
    fn the_step_is_what_the_standard_fields_say() {
        let of =
            |metadata: serde_json::Value| step_of(&serde_json::json!({ "metadata": metadata }));
        let mut metadata = serde_json::json!({ "currentStep": "dump/users", "stepsDone": 3 });
        assert_eq!(of(metadata.clone()).unwrap(), "step dump/users");
        metadata["waitingFor"] = "promise:approved".into();
        assert_eq!(of(metadata.clone()).unwrap(), "waits for promise:approved");
        metadata["blockedReason"] = "`scan` is new".into();
        assert_eq!(of(metadata).unwrap(), "blocked: `scan` is new");
        assert_eq!(of(serde_json::json!({ "currentStep": "" })), None);
    }

    #[test]
    fn a_name_of_version_7_tells_its_time_and_another_does_not() {
        let time = time_in_name("operations/0190163d-8694-739b-aea5-966c26f8ad91").unwrap();
        assert_eq!(time.as_micros() / 1_000_000, 1_718_360_049);
        assert_eq!(
            time_in_name("operations/3fa85f64-5717-4562-b3fc-2c963f66afa6"),
            None
        );
        assert_eq!(time_in_name("operations/42"), None);
    }
}
