//! Histories that were exported from a server.

use std::collections::BTreeSet;
use std::fmt;

use lro_core::Timestamp;
use lro_core::inspection as pb;
use lro_core::inspection::operation_record::Redaction;
use lro_core::inspection::step::{Kind, State};
use lro_core::store::{Child, StepKey, StepKind, StepOutcome, StepWake, StepWrite};
use lro_json::{ReadError, ReadOptions, add_descriptor_set};
use prost_reflect::DescriptorPool;
use uuid::Uuid;

use super::order::{Row, writes};
use super::{History, from_wire};

/// The message that an export is.
const LISTED: &str = "lro.v1.ListStepsResponse";

impl History {
    /// Reads the history of an operation of a server: what `lro steps NAME -o history` writes, the JSON of a
    /// `lro.v1.ListStepsResponse` with all steps and their values.
    ///
    /// The descriptor sets have the types of the values, except well-known ones and those of google.rpc. The
    /// constant `FILE_DESCRIPTOR_SET` of generated code is one.
    ///
    /// ```
    /// use lro_server::testing::History;
    ///
    /// let exported = r#"{
    ///   "name": "operations/42",
    ///   "beginTime": "2027-01-01T09:00:00Z",
    ///   "totalSize": 1,
    ///   "steps": [{
    ///     "key": "ocr", "sequence": "1", "kind": "STEP", "state": "DONE", "attempt": 1,
    ///     "operationAttempt": "1", "sequential": true,
    ///     "beginTime": "2027-01-01T09:00:01Z", "endTime": "2027-01-01T09:00:07Z",
    ///     "valueType": "google.protobuf.StringValue",
    ///     "value": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "the text"}
    ///   }]
    /// }"#;
    /// let history = History::from_json(exported, &[])?;
    /// assert_eq!(history.len(), 1);
    /// # Ok::<(), lro_server::testing::InvalidHistory>(())
    /// ```
    ///
    /// The replay has the time of the last thing that was recorded, unless [`at`](Self::at) moves it.
    /// [`OperationContext::uuid`](crate::OperationContext::uuid) gives others than in production. An operation that
    /// has ended has lost its checkpoint: [`checkpoint`](Self::checkpoint) adds it.
    ///
    /// # Errors
    ///
    /// * It is no JSON of that message, or a type is not in the descriptor sets.
    /// * It is not whole: without values, with values that the server has redacted, or without some of the steps.
    /// * No store could have recorded it.
    pub fn from_json(json: &str, file_descriptor_sets: &[&[u8]]) -> Result<Self, InvalidHistory> {
        let listed = listed(json, file_descriptor_sets)?;
        let name = listed.name.parse();
        let name =
            name.map_err(|error| fault("name", format_args!("{:?}: {error}", listed.name)))?;
        let begin = required(listed.begin_time.as_ref(), "beginTime")?;
        is_whole(&listed)?;
        let rows = rows(&listed)?;
        let ends = rows.iter().filter_map(|row| row.end);
        let now = rows.iter().map(|row| row.begin).chain(ends).max();
        let now = now.unwrap_or(begin).max(begin);
        let entries = writes(rows, now).map_err(|key| unfit(&key))?;
        if let Some(first) = entries.first().filter(|it| it.at < begin) {
            return Err(unfit(&first.write.key));
        }
        let history = Self {
            checkpoint: listed.checkpoint,
            entries,
            now,
            ..Self::new(name, begin)
        };
        if let Err((key, refusal)) = history.rows() {
            return Err(fault(&format!("the step `{key}`"), refusal));
        }
        Ok(history)
    }
}

/// The reason why a text is no history: a sentence that names the place in it.
///
/// ```
/// use lro_server::testing::History;
///
/// let invalid = History::from_json("{}", &[]).unwrap_err();
/// assert!(invalid.to_string().starts_with("name: "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHistory(String);

impl fmt::Display for InvalidHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidHistory {}

fn fault(place: &str, what: impl fmt::Display) -> InvalidHistory {
    InvalidHistory(format!("{place}: {what}"))
}

fn unfit(key: &StepKey) -> InvalidHistory {
    let place = format!("the step `{key}`");
    fault(&place, "its times do not fit its place among the steps")
}

fn listed(json: &str, sets: &[&[u8]]) -> Result<pb::ListStepsResponse, InvalidHistory> {
    let types = types(sets)?;
    let unknown = || {
        fault(
            "the descriptor sets",
            format_args!("they have another {LISTED}"),
        )
    };
    let message = types.get_message_by_name(LISTED).ok_or_else(unknown)?;
    let read = ReadOptions::new().read(&message, json.as_bytes());
    let read = read.map_err(|error| unread(&error))?;
    read.transcode_to().map_err(|_| unknown())
}

fn types(sets: &[&[u8]]) -> Result<DescriptorPool, InvalidHistory> {
    let mut types = DescriptorPool::global();
    let own = [
        lro_core::inspection::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ];
    for set in own.iter().chain(sets) {
        let added = add_descriptor_set(&mut types, set);
        added.map_err(|error| fault("the descriptor sets", error))?;
    }
    Ok(types)
}

fn unread(error: &ReadError) -> InvalidHistory {
    if error.field().ends_with("\"@type\"") {
        return InvalidHistory(format!(
            "{error}; give the descriptor set that has it, or export with `--unredacted` if the server has withheld \
             the value"
        ));
    }
    InvalidHistory(format!("no JSON of {LISTED}: {error}"))
}

/// Refuses a part of a history.
fn is_whole(listed: &pb::ListStepsResponse) -> Result<(), InvalidHistory> {
    let is_last = listed.next_page_token.is_empty();
    let count = i64::try_from(listed.steps.len()).unwrap_or(i64::MAX);
    if !is_last || i64::from(listed.total_size) > count {
        let total = listed.total_size;
        let what = format!("there are {count} of {total}; `lro steps NAME -o history` writes all");
        return Err(fault("steps", what));
    }
    is_unredacted("checkpoint", listed.checkpoint_redaction())
}

fn is_unredacted(place: &str, redaction: Redaction) -> Result<(), InvalidHistory> {
    match redaction {
        Redaction::Unspecified => Ok(()),
        _ => {
            let what = "the server has redacted it; export with `--unredacted`, which needs a permission of its own";
            Err(fault(place, what))
        }
    }
}

fn rows(listed: &pb::ListStepsResponse) -> Result<Vec<Row>, InvalidHistory> {
    let mut keys = BTreeSet::new();
    let mut before = 0;
    let rows = listed.steps.iter().enumerate().map(|(at, step)| {
        let place = format!("steps[{at}]");
        let row = row(&place, step)?;
        if !keys.insert(row.write.key.clone()) {
            return Err(fault(
                &format!("{place}.key"),
                format_args!("`{}` is given twice", step.key),
            ));
        }
        if step.sequence <= before {
            let what = format!(
                "{} after {before}; steps stand in their order, from 1",
                step.sequence
            );
            return Err(fault(&format!("{place}.sequence"), what));
        }
        before = step.sequence;
        Ok(row)
    });
    rows.collect()
}

fn row(place: &str, step: &pb::Step) -> Result<Row, InvalidHistory> {
    let key = step.key.parse();
    let key: StepKey = key.map_err(|error| fault(&format!("{place}.key"), error))?;
    let place = format!("{place} (`{key}`)");
    let kind = kind(step.kind()).ok_or_else(|| {
        let what = "is missing, or not known to this version of lro-server";
        fault(&format!("{place}.kind"), what)
    })?;
    let begin = required(step.begin_time.as_ref(), &format!("{place}.beginTime"))?;
    let outcome = outcome(&place, step)?;
    let end = match outcome {
        Some(_) => Some(required(
            step.end_time.as_ref(),
            &format!("{place}.endTime"),
        )?),
        None => None,
    };
    if end.is_some_and(|end| end < begin) {
        return Err(fault(
            &format!("{place}.endTime"),
            "is before the begin time",
        ));
    }
    let wake = step.wake_time.as_ref();
    let wake = wake.map(|time| required(Some(time), &format!("{place}.wakeTime")));
    let attempt = u32::try_from(step.attempt);
    Ok(Row {
        begin,
        end,
        is_given: kind == StepKind::Promise && step.operation_attempt == 0 && outcome.is_some(),
        write: StepWrite {
            attempt: attempt.map_err(|_| fault(&format!("{place}.attempt"), "is negative"))?,
            sequential: step.sequential,
            wake: wake.transpose()?.map(StepWake::At),
            last_error: step.error.clone().filter(|_| outcome.is_none()),
            outcome,
            child: child(&place, step)?,
            ..StepWrite::begun(key, kind)
        },
    })
}

/// The operation that the step has started. Its identity is not told, and makes no difference.
fn child(place: &str, step: &pb::Step) -> Result<Option<Box<Child>>, InvalidHistory> {
    if step.child.is_empty() {
        return Ok(None);
    }
    let name = step.child.parse();
    let name = name.map_err(|error| fault(&format!("{place}.child"), format!("{error}")))?;
    Ok(Some(Box::new(Child {
        name,
        uid: Uuid::nil(),
        is_left: false,
        is_cancelled: step.child_cancelled,
    })))
}

/// How the call has ended; `None` if it has not.
fn outcome(place: &str, step: &pb::Step) -> Result<Option<StepOutcome>, InvalidHistory> {
    is_unredacted(&format!("{place}.value"), step.value_redaction())?;
    let missing = |part: &str| {
        let what = "is missing; export with `-o history`, or list with the view FULL";
        Err(fault(&format!("{place}.{part}"), what))
    };
    Ok(match step.state() {
        State::Done => match &step.value {
            Some(value) => Some(StepOutcome::Response(value.clone())),
            None => return missing("value"),
        },
        State::Failed => match &step.error {
            Some(error) => Some(StepOutcome::Error(error.clone())),
            None => return missing("error"),
        },
        State::Abandoned => Some(StepOutcome::Abandoned),
        State::Orphaned if step.end_time.is_some() => Some(match (&step.value, &step.error) {
            (Some(value), _) => StepOutcome::Response(value.clone()),
            (None, Some(error)) => StepOutcome::Error(error.clone()),
            (None, None) if step.value_type.is_empty() => StepOutcome::Abandoned,
            (None, None) => return missing("value"),
        }),
        State::Pending | State::Running | State::Waiting | State::Orphaned => None,
        State::Unspecified => {
            let what = "is missing, or not known to this version of lro-server";
            return Err(fault(&format!("{place}.state"), what));
        }
    })
}

fn kind(kind: Kind) -> Option<StepKind> {
    Some(match kind {
        Kind::Unspecified => return None,
        Kind::Step => StepKind::Step,
        Kind::Sleep => StepKind::Sleep,
        Kind::Promise => StepKind::Promise,
        Kind::First => StepKind::First,
        Kind::Introduced => StepKind::Introduced,
        Kind::Saga => StepKind::Saga,
        Kind::SagaStep => StepKind::SagaStep,
        Kind::Undo => StepKind::Undo,
        Kind::Child => StepKind::Child,
        Kind::SagaChild => StepKind::SagaChild,
    })
}

fn required(
    time: Option<&prost_types::Timestamp>,
    place: &str,
) -> Result<Timestamp, InvalidHistory> {
    let time = time.ok_or_else(|| fault(place, "is missing"))?;
    from_wire(time).ok_or_else(|| fault(place, "is out of range"))
}
