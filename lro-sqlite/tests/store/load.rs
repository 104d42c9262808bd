use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::store::{
    Claim, Command, ListQuery, MemoryStore, NewOperation, OnCrash, OperationOutcome,
    OperationRecord, OperationResult, OperationStore, RequestId, Suspects, Update,
};
use lro_core::{ParentPattern, Timestamp, pack};
use lro_sqlite::{Durability, SqliteStore};
use uuid::Uuid;

use crate::fixture::*;

/// A small generator, so that every run is the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

fn operation(dice: &mut Dice, serial: u64, now: Timestamp) -> NewOperation {
    let parent = ["", "a/", "a/b/"][dice.roll(3) as usize];
    let mut operation = new(&format!("{parent}operations/{}", dice.roll(200)));
    operation.uid = Uuid::from_u128(u128::from(serial));
    operation.request = payload("Request", [10, 600, 5_000][dice.roll(3) as usize]);
    operation.policy.max_attempts = 1 + dice.roll(3) as u32;
    operation.policy.retain = Duration::from_secs(dice.roll(100));
    if dice.one_in(2) {
        operation.policy.on_crash = OnCrash::Abort;
    }
    if dice.one_in(3) {
        operation.request_id = Some(RequestId {
            id: dice.roll(50).to_string(),
            fingerprint: [dice.roll(2) as u8; 32],
        });
    }
    if dice.one_in(3) {
        operation.exclusive_key = Some(dice.roll(20).to_string());
    }
    if dice.one_in(3) {
        operation.claimed_by = Some((worker(), LEASE));
    }
    if dice.one_in(3) {
        operation.ready_time = Some(now.saturating_add(Duration::from_secs(dice.roll(40))));
    }
    operation
}

fn command(dice: &mut Dice) -> Command {
    let fence = 1 + dice.roll(3);
    let metadata = dice
        .one_in(2)
        .then(|| payload("Metadata", dice.roll(300) as usize));
    match dice.roll(9) {
        0 | 1 => Command::Renew {
            fence,
            lease_duration: LEASE,
            metadata,
        },
        2 => Command::Checkpoint {
            fence,
            lease_duration: LEASE,
            checkpoint: payload("Checkpoint", dice.roll(900) as usize),
            metadata,
        },
        3 | 4 => Command::Finish {
            fence,
            outcome: OperationOutcome::Response(pack(&())),
            metadata,
        },
        5 => Command::Retry {
            fence,
            error: lro_core::Reason::OperationTimedOut.operation_error("slow", []),
            delay: Duration::from_secs(dice.roll(10)),
            metadata,
        },
        6 => Command::Release { fence, metadata },
        7 => Command::cancel(),
        _ => Command::delete(),
    }
}

/// An ErrorInfo's metadata come in the order of a hash map, so that two are not comparable.
fn forget_details(record: &mut OperationRecord) {
    if let Some(OperationResult::Error(error)) = &mut record.result {
        error.details.clear();
    }
}

#[tokio::test]
async fn a_mixed_load_is_answered_as_memory_answers_it() {
    let fixture = Fixture::new();
    // The result does not depend on how often the disk syncs.
    let builder = SqliteStore::builder(fixture.path()).durability(Durability::Normal);
    let store = builder.clock(fixture.clock.clone()).open().await.unwrap();
    let model = MemoryStore::with_clock(fixture.clock.clone());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for step in 0..4_000_u64 {
        fixture
            .clock
            .advance(Duration::from_millis(dice.roll(2_000)));
        let now = lro_core::Clock::now(&*fixture.clock);
        match dice.roll(8) {
            0..3 => {
                let count = 1 + dice.roll(3);
                let operations: Vec<_> = (0..count)
                    .map(|i| operation(&mut dice, step * 10 + i, now))
                    .collect();
                let mut answers = store.start(operations.clone()).await.unwrap();
                let mut expected = model.start(operations).await.unwrap();
                for started in answers.iter_mut().chain(&mut expected).flatten() {
                    forget_details(&mut started.record);
                }
                assert_eq!(answers, expected, "step {step}");
            }
            3..5 => {
                let limit = dice.roll(5) as usize;
                let claim = Claim {
                    worker: worker(),
                    methods: BTreeMap::from([(METHOD.to_owned(), limit)]),
                    limit,
                    lease_duration: LEASE,
                    suspects: Suspects::default(),
                    expires_leases: true,
                };
                let claimed = store.claim(claim.clone()).await.unwrap();
                assert_eq!(claimed, model.claim(claim).await.unwrap(), "step {step}");
            }
            5..7 => {
                let updates: Vec<_> = (0..1 + dice.roll(8))
                    .map(|_| {
                        let name = format!("a/operations/{}", dice.roll(200)).parse().unwrap();
                        Update::by_name(name, command(&mut dice))
                    })
                    .collect();
                let answers = store.update(updates.clone()).await.unwrap();
                assert_eq!(answers, model.update(updates).await.unwrap(), "step {step}");
            }
            _ => {
                let limit = dice.roll(9) as usize;
                let purged = store.purge(limit).await.unwrap();
                assert_eq!(purged, model.purge(limit).await.unwrap(), "step {step}");
            }
        }
        let parent: ParentPattern = ["", "a", "a/b", "-", "a/-"][dice.roll(5) as usize]
            .parse()
            .unwrap();
        let mut query = ListQuery::new(parent, 1 + dice.roll(20) as usize);
        for _ in 0..2 {
            let mut page = store.list(query.clone()).await.unwrap();
            let mut expected = model.list(query.clone()).await.unwrap();
            let pairs = page.records.iter_mut().zip(&mut expected.records);
            for (record, expected) in pairs {
                forget_details(record);
                forget_details(expected);
                assert_eq!(record, expected, "step {step}");
            }
            assert_eq!(page.records.len(), expected.records.len(), "step {step}");
            assert_eq!(page.next, expected.next, "step {step}");
            query.after = page.next;
        }
    }
    drop(store);
    fixture.check_integrity();
}
