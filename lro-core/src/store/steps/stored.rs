//! The parts of a row as numbers and bytes, the same in every store with columns.

use prost::Message;

use super::{StepOutcome, StepRow};
use crate::pb::rpc::Status;

const RESPONSE: u8 = 0;
const ERROR: u8 = 1;
const ABANDONED: u8 = 2;
const LAST_ERROR: u8 = 3;

impl StepRow {
    /// The outcome or the last error, as a number and bytes that stores keep; `None` if there is
    /// neither.
    pub fn encode_value(&self) -> Option<(u8, Vec<u8>)> {
        Some(match (&self.outcome, &self.last_error) {
            (Some(StepOutcome::Response(any)), _) => (RESPONSE, any.encode_to_vec()),
            (Some(StepOutcome::Error(status)), _) => (ERROR, status.encode_to_vec()),
            (Some(StepOutcome::Abandoned), _) => (ABANDONED, Vec::new()),
            (None, Some(status)) => (LAST_ERROR, status.encode_to_vec()),
            (None, None) => return None,
        })
    }

    /// The outcome and the last error of a stored number and bytes; `None` when they are none.
    pub fn decode_value(number: u8, bytes: &[u8]) -> Option<(Option<StepOutcome>, Option<Status>)> {
        Some(match number {
            RESPONSE => (
                Some(StepOutcome::Response(Message::decode(bytes).ok()?)),
                None,
            ),
            ERROR => (Some(StepOutcome::Error(Message::decode(bytes).ok()?)), None),
            ABANDONED if bytes.is_empty() => (Some(StepOutcome::Abandoned), None),
            LAST_ERROR => (None, Some(Message::decode(bytes).ok()?)),
            _ => return None,
        })
    }

    /// The size that limits count: the key and the encoded value, in bytes.
    pub fn encoded_len(&self) -> usize {
        let value = match (&self.outcome, &self.last_error) {
            (Some(StepOutcome::Response(any)), _) => any.encoded_len(),
            (Some(StepOutcome::Error(status)), _) | (None, Some(status)) => status.encoded_len(),
            (Some(StepOutcome::Abandoned), _) | (None, None) => 0,
        };
        self.key.as_str().len() + value
    }

    /// Whether its parts agree with each other, as the state machine guarantees for every row. A
    /// stored row that violates this is corrupt.
    pub fn is_whole(&self) -> bool {
        self.outcome.is_some() == self.end_time.is_some()
            && (self.outcome.is_none() || self.last_error.is_none())
            && self.seq > 0
    }
}
