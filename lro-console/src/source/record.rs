//! The record of an operation, as `lro.v1.Inspection` tells it.

use std::time::Duration;

use lro_core::inspection as wire;
use lro_core::inspection::operation_record::State;
use lro_core::inspection::waiting::Cause;
use lro_core::store::{OperationRecord, OperationState};
use lro_core::{Timestamp, pb};

/// The facts about an operation that the standard has no field for.
#[derive(Clone, Debug)]
pub(crate) struct Record(wire::OperationRecord);

impl Record {
    /// The operation and the rest of its record.
    pub(crate) fn split(mut record: wire::OperationRecord) -> (pb::Operation, Self) {
        (record.operation.take().unwrap_or_default(), Self(record))
    }

    /// The record as it came, without its operation.
    pub(crate) fn wire(&self) -> &wire::OperationRecord {
        &self.0
    }

    /// `None` if the server has a state that this version does not know.
    pub(crate) fn state(&self) -> Option<OperationState> {
        state(self.0.state())
    }

    pub(crate) fn revision(&self) -> u64 {
        u64::try_from(self.0.revision).unwrap_or_default()
    }

    pub(crate) fn create_time(&self) -> Option<Timestamp> {
        time(self.0.create_time.as_ref())
    }

    /// `None` also for an operation that becomes ready only by a call, such as the completion of a promise.
    pub(crate) fn ready_time(&self) -> Option<Timestamp> {
        time(self.0.ready_time.as_ref()).filter(|ready| *ready < OperationRecord::NEVER_READY)
    }

    /// Why it makes no progress, if it makes none.
    pub(crate) fn waits(&self) -> Option<Cause> {
        Some(self.0.waiting.as_ref()?.cause())
    }

    pub(crate) fn start_time(&self) -> Option<Timestamp> {
        time(self.0.start_time.as_ref())
    }

    pub(crate) fn update_time(&self) -> Option<Timestamp> {
        time(self.0.update_time.as_ref())
    }

    pub(crate) fn cancel_time(&self) -> Option<Timestamp> {
        time(self.0.cancel_time.as_ref())
    }

    pub(crate) fn end_time(&self) -> Option<Timestamp> {
        time(self.0.end_time.as_ref())
    }

    pub(crate) fn expire_time(&self) -> Option<Timestamp> {
        time(self.0.expire_time.as_ref())
    }
}

/// The state of the wire; `None` for one that this version does not know.
pub(crate) fn state(state: State) -> Option<OperationState> {
    Some(match state {
        State::Unspecified => return None,
        State::Pending => OperationState::Pending,
        State::Running => OperationState::Running,
        State::Cancelling => OperationState::Cancelling,
        State::Succeeded => OperationState::Succeeded,
        State::Failed => OperationState::Failed,
        State::Cancelled => OperationState::Cancelled,
    })
}

/// A time of the wire; `None` for one out of range.
pub(crate) fn time(time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    let time = time?;
    let micros = time.seconds.checked_mul(1_000_000)?;
    let micros = micros.checked_add(i64::from(time.nanos / 1_000))?;
    Some(Timestamp::from_micros(micros))
}

/// A duration of the wire; `None` for a negative one.
pub(crate) fn span(span: Option<&prost_types::Duration>) -> Option<Duration> {
    let span = span?;
    let seconds = u64::try_from(span.seconds).ok()?;
    Some(Duration::new(seconds, u32::try_from(span.nanos).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_none() {
        let at = |seconds, nanos| time(Some(&prost_types::Timestamp { seconds, nanos }));
        assert_eq!(at(2, 5_000).map(Timestamp::as_micros), Some(2_000_005));
        assert_eq!(at(i64::MAX, 0), None);
        assert_eq!(time(None), None);
        let lasts = |seconds, nanos| span(Some(&prost_types::Duration { seconds, nanos }));
        assert_eq!(lasts(1, 500_000_000), Some(Duration::from_millis(1_500)));
        assert_eq!(lasts(-1, 0), None);
        assert_eq!(lasts(1, -1), None);
    }
}
