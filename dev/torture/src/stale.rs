//! guarantee:R7, the store: writers whose claim is over try to write whatever a holder may write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use lro_core::pb::rpc::Status;
use lro_core::store::{
    Claim, Command, NewOperation, OperationOutcome, OperationRecord, OperationStore, Refusal,
    Suspects, Update, WorkerId,
};
use lro_core::{OperationName, pack};
use lro_testing::ManualClock;
use uuid::Uuid;

use crate::random::Random;
use crate::shared_store::SharedStore;
use crate::trials::{Tally, Trial};

const METHOD: &str = "/torture.v1.Torture/Run";
const LEASE: Duration = Duration::from_secs(30);
const OPERATIONS: u64 = 40;
const ROUNDS: u64 = 20;
const WRITES: u64 = 250;

/// Stale writes over and over, by turns in memory and on SQLite: one trial is 5,000 of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stale;

impl Trial for Stale {
    fn name(&self) -> &'static str {
        "stale"
    }

    fn flags(&self) -> String {
        String::new()
    }

    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let folder = tempfile::tempdir()?;
        runtime.block_on(async {
            let clock = Arc::new(ManualClock::new());
            let sqlite = seed.is_multiple_of(2);
            let store = SharedStore::open(sqlite, folder.path(), clock.clone()).await?;
            let mut attack = Attack {
                store,
                clock,
                random: Random::new(seed),
                names: Vec::new(),
            };
            attack.prepare().await?;
            for _ in 0..ROUNDS {
                attack.live().await?;
                attack.write(tally).await?;
            }
            Ok(())
        })
    }
}

struct Attack {
    store: SharedStore,
    clock: Arc<ManualClock>,
    random: Random,
    names: Vec<OperationName>,
}

impl Attack {
    async fn prepare(&mut self) -> anyhow::Result<()> {
        let mut operations = Vec::new();
        for number in 0..OPERATIONS {
            let name: OperationName = format!("operations/{number}").parse()?;
            self.names.push(name.clone());
            let uid = Uuid::from_u128(u128::from(number) + 1);
            let mut operation = NewOperation::new(uid, name, METHOD, pack(&()));
            operation.policy.max_attempts = 1_000;
            operations.push(operation);
        }
        for started in self.store.start(operations).await? {
            started?;
        }
        Ok(())
    }

    /// The life of an operation in order: claims, leases that run out, ends, cancellations.
    async fn live(&mut self) -> anyhow::Result<()> {
        if self.random.percent(30) {
            self.clock.advance(LEASE + Duration::from_secs(1));
        }
        let claim = Claim {
            worker: WorkerId::from_uuid(Uuid::from_u128(u128::from(self.random.bits()))),
            methods: BTreeMap::from([(METHOD.to_owned(), OPERATIONS as usize)]),
            limit: 1 + self.random.index(20),
            lease_duration: LEASE,
            suspects: Suspects::default(),
            expires_leases: true,
        };
        let claimed = self.store.claim(claim).await?.operations;
        let some = claimed.iter().take(2);
        let mut updates: Vec<_> = some
            .map(|it| end(it, OperationOutcome::Response(pack(&()))))
            .collect();
        if let Some(name) = self.random.pick(&self.names) {
            updates.push(Update::by_name(name.clone(), Command::cancel()));
        }
        self.store.update(updates).await?;
        Ok(())
    }

    async fn write(&mut self, tally: &mut Tally) -> anyhow::Result<()> {
        let before = self.records().await?;
        let writes = (0..WRITES).map(|_| self.stale_write(&before));
        let writes = writes.collect::<anyhow::Result<Vec<_>>>()?;
        let answers = self.store.update(writes.clone()).await?;
        ensure!(answers.len() == writes.len(), "some writes have no answer");
        for (write, answer) in writes.iter().zip(answers) {
            match answer {
                Err(Refusal::Stale) => tally.pass(),
                other => tally.fail(format!("{write:?} was answered {other:?}")),
            }
        }
        let after = self.records().await?;
        for (was, is) in before.iter().zip(after) {
            if *was != is {
                tally.fail(format!("{was:?} became {is:?}"));
            }
        }
        for record in &before {
            tally.add(
                match (record.state.is_running(), record.state.is_done()) {
                    (true, _) => "operations attacked while running",
                    (_, true) => "operations attacked when done",
                    _ => "operations attacked while pending",
                },
                1,
            );
        }
        Ok(())
    }

    async fn records(&self) -> anyhow::Result<Vec<OperationRecord>> {
        let mut records = Vec::new();
        for name in &self.names {
            let record = self.store.get(name).await?;
            records.push(record.with_context(|| format!("{name} is missing"))?);
        }
        Ok(records)
    }

    fn stale_write(&mut self, records: &[OperationRecord]) -> anyhow::Result<Update> {
        let random = &mut self.random;
        let Some(record) = random.pick(records) else {
            bail!("there are no operations");
        };
        let fence = match random.below(6) {
            // No worker holds it: even the last claim has ended.
            0 | 1 if !record.state.is_running() => record.fence,
            0 => 0,
            1 => u64::MAX,
            2 => random.bits(),
            3 => record.fence + 1,
            _ => record.fence.wrapping_sub(1 + random.below(3)),
        };
        let held = record.state.is_running() && fence == record.fence;
        let fence = if held { fence + 1 } else { fence };
        let lease_duration = LEASE;
        let metadata = random.percent(50).then(|| pack(&()));
        let error = Status {
            code: 13,
            message: "stale".to_owned(),
            details: Vec::new(),
        };
        let command = match random.below(7) {
            0 => Command::Renew {
                fence,
                lease_duration,
                metadata,
            },
            1 => Command::Checkpoint {
                fence,
                lease_duration,
                checkpoint: pack(&()),
                metadata,
            },
            2 => Command::Retry {
                fence,
                error,
                delay: Duration::ZERO,
                metadata,
            },
            3 => Command::Release { fence, metadata },
            4 => Command::Finish {
                fence,
                outcome: OperationOutcome::Error(error),
                metadata,
            },
            5 => Command::Finish {
                fence,
                outcome: OperationOutcome::Cancelled,
                metadata,
            },
            _ => Command::Finish {
                fence,
                outcome: OperationOutcome::Response(pack(&())),
                metadata,
            },
        };
        Ok(Update::by_uid(record.name.clone(), record.uid, command))
    }
}

fn end(record: &OperationRecord, outcome: OperationOutcome) -> Update {
    let command = Command::Finish {
        fence: record.fence,
        outcome,
        metadata: None,
    };
    Update::by_uid(record.name.clone(), record.uid, command)
}
