//! A history as bytes, the same in every store with columns.

use prost::Message;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::pb::rpc::Status;
use crate::store::{Actor, Attempt, AttemptOutcome, History, WorkerId};

/// The encoded history.
#[derive(Clone, PartialEq, Message)]
struct StoredHistory {
    #[prost(message, repeated, tag = "1")]
    attempts: Vec<StoredAttempt>,
    #[prost(message, optional, tag = "2")]
    cancelled_by: Option<Actor>,
    #[prost(message, optional, tag = "3")]
    deleted_by: Option<Actor>,
}

/// An attempt that ended. Times are microseconds since the Unix epoch.
#[derive(Clone, PartialEq, Message)]
struct StoredAttempt {
    #[prost(uint64, tag = "1")]
    fence: u64,
    /// Empty, or the 16 bytes of its id.
    #[prost(bytes = "vec", tag = "2")]
    worker: Vec<u8>,
    #[prost(sint64, optional, tag = "3")]
    begin_time: Option<i64>,
    #[prost(sint64, tag = "4")]
    end_time: i64,
    /// One of the numbers below.
    #[prost(uint32, tag = "5")]
    outcome: u32,
    /// Of a retry.
    #[prost(message, optional, tag = "6")]
    error: Option<Status>,
}

const RETRIED: u32 = 1;
const RELEASED: u32 = 2;
const WORKER_LOST: u32 = 3;

impl History {
    /// The encoded history; `None` if there is nothing in it, which is the rule.
    pub fn encode(&self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let stored = StoredHistory {
            attempts: self.attempts.iter().filter_map(store).collect(),
            cancelled_by: self.cancelled_by.clone(),
            deleted_by: self.deleted_by.clone(),
        };
        Some(stored.encode_to_vec())
    }

    /// The history of stored bytes; `None` when they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let stored = StoredHistory::decode(bytes).ok()?;
        if stored.attempts.len() > Self::MAX_ATTEMPTS {
            return None;
        }
        Some(Self {
            attempts: stored
                .attempts
                .into_iter()
                .map(load)
                .collect::<Option<_>>()?,
            cancelled_by: stored.cancelled_by,
            deleted_by: stored.deleted_by,
        })
    }
}

/// `None` for an attempt that follows from other columns, which no record keeps.
fn store(attempt: &Attempt) -> Option<StoredAttempt> {
    let (outcome, error) = match &attempt.outcome {
        AttemptOutcome::Retried(error) => (RETRIED, Some(error.clone())),
        AttemptOutcome::Released => (RELEASED, None),
        AttemptOutcome::WorkerLost => (WORKER_LOST, None),
        AttemptOutcome::Running
        | AttemptOutcome::Succeeded
        | AttemptOutcome::Failed
        | AttemptOutcome::Cancelled => return None,
    };
    let worker = attempt.worker.map(WorkerId::as_uuid);
    Some(StoredAttempt {
        fence: attempt.fence,
        worker: worker.map_or_else(Vec::new, |uuid| uuid.as_bytes().to_vec()),
        begin_time: attempt.begin_time.map(Timestamp::as_micros),
        end_time: attempt.end_time?.as_micros(),
        outcome,
        error,
    })
}

fn load(stored: StoredAttempt) -> Option<Attempt> {
    Some(Attempt {
        fence: stored.fence,
        worker: match &*stored.worker {
            [] => None,
            bytes => Some(WorkerId::from_uuid(Uuid::from_slice(bytes).ok()?)),
        },
        begin_time: stored.begin_time.map(Timestamp::from_micros),
        end_time: Some(Timestamp::from_micros(stored.end_time)),
        outcome: match (stored.outcome, stored.error) {
            (RETRIED, Some(error)) => AttemptOutcome::Retried(error),
            (RELEASED, None) => AttemptOutcome::Released,
            (WORKER_LOST, None) => AttemptOutcome::WorkerLost,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(fence: u64, outcome: AttemptOutcome) -> Attempt {
        Attempt {
            fence,
            worker: (fence > 1).then(|| WorkerId::from_uuid(Uuid::from_u128(7))),
            begin_time: (fence > 1).then_some(Timestamp::EPOCH),
            end_time: Some(Timestamp::from_micros(-1)),
            outcome,
        }
    }

    #[test]
    fn histories_go_through_bytes() {
        assert_eq!(History::default().encode(), None);
        let error = Status {
            code: 14,
            message: "busy".to_owned(),
            details: Vec::new(),
        };
        let history = History {
            attempts: vec![
                attempt(1, AttemptOutcome::Retried(error)),
                attempt(2, AttemptOutcome::Released),
                attempt(3, AttemptOutcome::WorkerLost),
            ],
            cancelled_by: Some(Actor {
                principal: "ada".to_owned(),
                reason: "\u{1f680}".to_owned(),
            }),
            deleted_by: Some(Actor::default()),
        };
        let bytes = history.encode().unwrap();
        assert_eq!(History::decode(&bytes), Some(history));
        assert_eq!(History::decode(&[]), Some(History::default()));
    }

    /// Values that files hold already.
    #[test]
    fn the_bytes_do_not_change() {
        let history = History {
            attempts: vec![attempt(1, AttemptOutcome::WorkerLost)],
            deleted_by: Some(Actor {
                principal: "a".to_owned(),
                reason: String::new(),
            }),
            ..History::default()
        };
        let bytes = b"\x0a\x06\x08\x01\x20\x01\x28\x03\x1a\x03\x0a\x01a";
        assert_eq!(history.encode().as_deref(), Some(&bytes[..]));
    }

    #[test]
    fn bytes_that_were_never_written_are_none() {
        let history = |attempts| StoredHistory {
            attempts,
            ..StoredHistory::default()
        };
        let one = || store(&attempt(2, AttemptOutcome::Released)).unwrap();
        let bad = [
            vec![one(); History::MAX_ATTEMPTS + 1],
            vec![StoredAttempt {
                outcome: 0,
                ..one()
            }],
            vec![StoredAttempt {
                outcome: 9,
                ..one()
            }],
            vec![StoredAttempt {
                outcome: RETRIED,
                ..one()
            }],
            vec![StoredAttempt {
                error: Some(Status::default()),
                ..one()
            }],
            vec![StoredAttempt {
                worker: vec![1],
                ..one()
            }],
        ];
        for attempts in bad {
            let bytes = history(attempts).encode_to_vec();
            assert_eq!(History::decode(&bytes), None, "{bytes:?}");
        }
        assert_eq!(History::decode(&[0xff]), None);
    }
}
