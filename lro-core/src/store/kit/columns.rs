//! The parts of a record as numbers and bytes, the same in every store with columns.

use std::collections::BTreeMap;

use prost::Message;

use crate::store::{OnCrash, OperationRecord, OperationResult};

impl OnCrash {
    /// The number that stores keep.
    pub const fn as_number(self) -> u8 {
        self as u8
    }

    /// The policy of a stored number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Resume),
            1 => Some(Self::Abort),
            2 => Some(Self::ResumeCancelled),
            _ => None,
        }
    }
}

impl OperationResult {
    const RESPONSE: u8 = 0;
    const ERROR: u8 = 1;

    /// Which of the two it is, as the number that stores keep beside [`encode`](Self::encode).
    pub const fn kind_number(&self) -> u8 {
        match self {
            Self::Response(_) => Self::RESPONSE,
            Self::Error(_) => Self::ERROR,
        }
    }

    /// The encoded content: a `google.protobuf.Any` or `google.rpc.Status`.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Response(any) => any.encode_to_vec(),
            Self::Error(status) => status.encode_to_vec(),
        }
    }

    /// The result of a stored number and bytes; `None` when they are none.
    pub fn decode(kind_number: u8, bytes: &[u8]) -> Option<Self> {
        match kind_number {
            Self::RESPONSE => Message::decode(bytes).ok().map(Self::Response),
            Self::ERROR => Message::decode(bytes).ok().map(Self::Error),
            _ => None,
        }
    }
}

impl OperationRecord {
    /// Whether its parts agree with its state, as the state machine guarantees for every record. A
    /// stored record that violates this is corrupt. So is a counter at its maximum: no operation is
    /// claimed or changed that often.
    pub fn is_whole(&self) -> bool {
        let done = self.state.is_done();
        done == self.result.is_some()
            && done == self.end_time.is_some()
            && done == self.expire_time.is_some()
            && self.state.is_running() == self.lease.is_some()
            && self.attempt < u32::MAX
            && self.fence < u64::MAX
            && self.revision < u64::MAX
            && self
                .steps
                .as_deref()
                .is_none_or(|it| it.progress_attempt <= self.attempt && it.epoch < u32::MAX)
    }
}

/// A map in field 1.
#[derive(Clone, PartialEq, Message)]
struct Labels {
    #[prost(btree_map = "string, string", tag = "1")]
    labels: BTreeMap<String, String>,
}

/// Labels as stores keep them: an encoded `map<string, string>` in field 1.
pub fn encode_labels(labels: &BTreeMap<String, String>) -> Vec<u8> {
    let labels = labels.clone();
    Labels { labels }.encode_to_vec()
}

/// The labels of stored bytes; `None` when they are none.
pub fn decode_labels(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    Labels::decode(bytes).ok().map(|stored| stored.labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, pack};

    #[test]
    fn numbers_are_what_files_hold_already() {
        let all = [OnCrash::Resume, OnCrash::Abort, OnCrash::ResumeCancelled];
        let numbers = all.map(OnCrash::as_number);
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!(numbers.map(OnCrash::from_number), all.map(Some));
        assert_eq!(OnCrash::from_number(3), None);
    }

    #[test]
    fn results_and_labels_go_through_bytes() {
        let error = Reason::Internal.operation_error("broken", []);
        for (number, result) in [
            (0, OperationResult::Response(pack(&()))),
            (1, OperationResult::Error(error)),
        ] {
            assert_eq!(result.kind_number(), number);
            let bytes = result.encode();
            assert_eq!(OperationResult::decode(number, &bytes), Some(result));
            assert_eq!(OperationResult::decode(2, &bytes), None);
            assert_eq!(OperationResult::decode(number, &[0xff]), None);
        }
        let labels = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
        assert_eq!(encode_labels(&labels), b"\x0a\x0b\x0a\x03env\x12\x04prod");
        assert_eq!(decode_labels(&encode_labels(&labels)), Some(labels));
        assert_eq!(decode_labels(&[0xff]), None);
    }
}
