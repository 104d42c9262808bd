//! Which calls a load makes: random ones that fit what the store holds.

use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::pb::rpc::Status;
use lro_core::store::{
    Claim, Command, ExecutionPolicy, NewOperation, OnCrash, OperationOutcome, OperationRecord,
    RequestId, Suspects, Update, WorkerId,
};
use prost_types::Any;
use uuid::Uuid;

use super::model::{Call, Model};
use super::step_calls;
use crate::random::Random;

const METHODS: [&str; 2] = ["/torture.v1.Torture/Run", "/torture.v1.Torture/Walk"];
const LEASE: Duration = Duration::from_secs(30);
/// So short that purges find something.
const RETAIN: Duration = Duration::from_secs(60);

/// Makes calls.
#[derive(Debug)]
pub(crate) struct Caller {
    random: Random,
    worker: WorkerId,
    /// So large that the write-ahead log fills up and is written back.
    bulky: bool,
    started: u64,
}

impl Caller {
    pub(crate) fn new(mut random: Random, bulky: bool) -> Self {
        let worker = uuid(&mut random);
        Self {
            random,
            worker: WorkerId::from_uuid(worker),
            bulky,
            started: 0,
        }
    }

    /// Calls that are queued at once, in the order in which the store serves them.
    pub(crate) fn group(&mut self, model: &Model, now: Timestamp) -> Vec<Call> {
        let count = 1 + self.random.below(8);
        let mut calls: Vec<_> = (0..count).map(|_| self.call(model, now)).collect();
        calls.sort_by_key(Call::lane);
        calls
    }

    fn call(&mut self, model: &Model, now: Timestamp) -> Call {
        let few = model.records.len() < 12;
        match self.random.below(100) {
            0..35 => self.start(model, now),
            35..45 if few => self.start(model, now),
            35..50 => Call::Claim(Claim {
                worker: self.worker,
                methods: METHODS.map(|it| (it.to_owned(), 8)).into(),
                limit: 1 + self.random.index(6),
                lease_duration: LEASE,
                suspects: Suspects::default(),
                expires_leases: true,
            }),
            50..55 => Call::Purge(1 + self.random.index(4)),
            _ => {
                let count = 1 + self.random.below(3);
                let records: Vec<_> = model.records.values().collect();
                let updates = (0..count).filter_map(|_| {
                    let record = *self.random.pick(&records)?;
                    Some(match !record.state.is_done() && self.random.percent(60) {
                        true => step_calls::update(&mut self.random, record, model),
                        false => self.update(record),
                    })
                });
                let updates: Vec<_> = updates.collect();
                match updates.is_empty() {
                    true => self.start(model, now),
                    false => Call::Update(updates),
                }
            }
        }
    }

    fn start(&mut self, model: &Model, now: Timestamp) -> Call {
        let count = 1 + self.random.below(3);
        Call::Start((0..count).map(|_| self.operation(model, now)).collect())
    }

    fn operation(&mut self, model: &Model, now: Timestamp) -> NewOperation {
        self.started += 1;
        let random = &mut self.random;
        let uid = uuid(random);
        let id = match random.percent(95) {
            true => uid.simple().to_string(),
            // Is taken now and then.
            false => format!("o{}", random.below(4)),
        };
        let parent = ["", "projects/p/"][random.index(2)];
        // Always valid: made of hexadecimal digits and a constant.
        let Ok(name) = format!("{parent}operations/{id}").parse() else {
            unreachable!("{id} is a segment")
        };
        let method = METHODS[random.index(2)];
        let len = match random.below(10) {
            _ if self.bulky => 60_000,
            0 => 600 + random.index(8_000),
            _ => random.index(300),
        };
        let mut operation = NewOperation::new(uid, name, method, any(random, len));
        operation.policy = ExecutionPolicy {
            max_attempts: 1 + random.below(4) as u32,
            on_crash: match random.percent(15) {
                true => OnCrash::Abort,
                false => OnCrash::Resume,
            },
            retain: RETAIN,
        };
        operation.metadata = random.percent(30).then(|| any(random, 40));
        operation.claimed_by = random.percent(40).then_some((self.worker, LEASE));
        if random.percent(10) {
            operation.ready_time = Some(now.saturating_add(Duration::from_secs(20)));
        }
        if random.percent(15) {
            operation.exclusive_key = Some(format!("k{}", random.below(3)));
        }
        if random.percent(20) {
            operation.request_id = Some(RequestId {
                id: format!("r{}", random.below(6)),
                fingerprint: [random.below(2) as u8; 32],
            });
        }
        if random.percent(5) {
            operation.outcome = Some(outcome(random));
        }
        if random.percent(30) {
            step_calls::adopt(random, model, &mut operation);
        }
        operation
    }

    fn update(&mut self, record: &OperationRecord) -> Update {
        let random = &mut self.random;
        // A stale one now and then, which is to change nothing.
        let fence = record.fence.wrapping_sub(u64::from(random.percent(10)));
        let metadata = random.percent(40).then(|| any(random, 50));
        let lease_duration = LEASE;
        let command = match random.below(100) {
            0..20 => Command::Renew {
                fence,
                lease_duration,
                metadata,
            },
            20..40 => Command::Checkpoint {
                fence,
                lease_duration,
                checkpoint: any(random, 200),
                metadata,
            },
            40..65 => Command::Finish {
                fence,
                outcome: outcome(random),
                metadata,
            },
            65..72 => Command::Retry {
                fence,
                error: status(random),
                delay: Duration::from_secs(random.below(10)),
                metadata,
            },
            72..78 => Command::Release { fence, metadata },
            78..90 => Command::cancel(),
            _ => Command::delete(),
        };
        Update::by_uid(record.name.clone(), record.uid, command)
    }
}

/// A claim that finds nothing, unless a lease has expired.
pub(crate) fn empty_claim() -> Call {
    Call::Claim(Claim {
        worker: WorkerId::from_uuid(Uuid::nil()),
        methods: BTreeMap::new(),
        limit: 0,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: true,
    })
}

pub(super) fn outcome(random: &mut Random) -> OperationOutcome {
    match random.below(10) {
        0..7 => OperationOutcome::Response(any(random, 100)),
        7..9 => OperationOutcome::Error(status(random)),
        _ => OperationOutcome::Cancelled,
    }
}

pub(super) fn status(random: &mut Random) -> Status {
    Status {
        code: 1 + random.below(16) as i32,
        message: format!("failure {}", random.bits()),
        details: Vec::new(),
    }
}

pub(super) fn any(random: &mut Random, len: usize) -> Any {
    Any {
        type_url: "type.googleapis.com/torture.v1.Bytes".to_owned(),
        value: random.bytes(len),
    }
}

fn uuid(random: &mut Random) -> Uuid {
    let bytes: Vec<_> = random.bytes(16);
    Uuid::from_slice(&bytes).unwrap_or_default()
}
