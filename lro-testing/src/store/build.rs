//! Builders of the operations that cases start.

use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::store::{
    Claim, Command, NewOperation, OperationOutcome, RequestId, Suspects, WorkerId,
};
use lro_core::{OperationName, ParentName, pb};
use prost_types::Any;
use uuid::Uuid;

/// The method of operations of which a case says nothing else.
pub(crate) const METHOD: &str = "/test.Exporter/Export";
/// Another method.
pub(crate) const OTHER: &str = "/test.Exporter/Import";
/// How long a lease lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A UUIDv7 whose order is that of `n`.
pub(crate) fn uid(n: u64) -> Uuid {
    let millis = 1_700_000_000_000 + u128::from(n);
    Uuid::from_u128((millis << 80) | (0x7 << 76) | (0b10 << 62) | u128::from(n))
}

pub(crate) fn worker(n: u64) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(0x4000_8000_0000_0000_0000 | u128::from(n)))
}

pub(crate) fn any(text: &str) -> Any {
    Any {
        type_url: "type.googleapis.com/test.Text".to_owned(),
        value: text.as_bytes().to_vec(),
    }
}

pub(crate) fn name(of: &str) -> OperationName {
    of.parse().unwrap()
}

pub(crate) fn parent(of: &str) -> ParentName {
    of.parse().unwrap()
}

pub(crate) fn request_id(id: &str, fingerprint: u8) -> Option<RequestId> {
    Some(RequestId {
        id: id.to_owned(),
        fingerprint: [fingerprint; 32],
    })
}

pub(crate) fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    pairs.map(owned).into()
}

/// The error of a body, with details of two types.
pub(crate) fn failure(code: i32) -> pb::rpc::Status {
    pb::rpc::Status {
        code,
        message: "the disk is full: 磁盘已满 \u{1f4be}\0".to_owned(),
        details: vec![
            Any {
                type_url: "type.googleapis.com/test.Detail".to_owned(),
                value: (0..=255).collect(),
            },
            Any::default(),
        ],
    }
}

/// A claim of operations of these methods, without a limit for each.
pub(crate) fn claim(worker: WorkerId, methods: &[&str], limit: usize) -> Claim {
    Claim {
        worker,
        methods: methods.iter().map(|m| ((*m).to_owned(), limit)).collect(),
        limit,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: true,
    }
}

pub(crate) fn renew(fence: u64, metadata: Option<Any>) -> Command {
    Command::Renew {
        fence,
        lease_duration: LEASE,
        metadata,
    }
}

pub(crate) fn checkpoint(fence: u64, checkpoint: Any) -> Command {
    Command::Checkpoint {
        fence,
        lease_duration: LEASE,
        checkpoint,
        metadata: None,
    }
}

pub(crate) fn finish(fence: u64, outcome: OperationOutcome) -> Command {
    Command::Finish {
        fence,
        outcome,
        metadata: None,
    }
}

pub(crate) fn succeed(fence: u64, response: &str) -> Command {
    finish(fence, OperationOutcome::Response(any(response)))
}

pub(crate) fn retry(fence: u64, delay: Duration) -> Command {
    Command::Retry {
        fence,
        error: failure(14),
        delay,
        metadata: None,
    }
}

pub(crate) fn release(fence: u64) -> Command {
    Command::Release {
        fence,
        metadata: None,
    }
}

/// Names of one operation each, for cases that need many.
pub(crate) fn numbered(parent: &str, n: u64) -> String {
    match parent {
        "" => format!("operations/{n:04}"),
        parent => format!("{parent}/operations/{n:04}"),
    }
}

/// [`NewOperation`] by method calls.
pub(crate) trait NewOperationExt: Sized {
    fn with(self, change: impl FnOnce(&mut NewOperation)) -> Self;

    fn method(self, method: &str) -> Self {
        self.with(|new| new.method = method.to_owned())
    }

    fn request_id(self, id: &str, fingerprint: u8) -> Self {
        self.with(|new| new.request_id = request_id(id, fingerprint))
    }

    fn exclusive(self, key: &str) -> Self {
        self.with(|new| new.exclusive_key = Some(key.to_owned()))
    }

    fn born_claimed(self, by: WorkerId) -> Self {
        self.with(|new| new.claimed_by = Some((by, LEASE)))
    }
}

impl NewOperationExt for NewOperation {
    fn with(mut self, change: impl FnOnce(&mut NewOperation)) -> Self {
        change(&mut self);
        self
    }
}
