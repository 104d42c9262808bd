//! Code that changes while an operation runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lro_core::store::{MemoryStore, OperationRecord, OperationState};
use lro_core::{Operation, OperationName};
use lro_server::{Operations, Worker};
use tonic::Status;

use super::{HOUR, Trail, record_when, store, suspended, wait};
use crate::support::{Context, Exporter, exported, name, start_on};

/// An operation of a body that has several versions.
struct Deployed {
    store: Arc<MemoryStore>,
    operations: Operations,
    version: Arc<AtomicU32>,
    trail: Trail,
    name: OperationName,
    _exporter: Arc<Exporter>,
    _worker: Worker,
}

async fn quick(operation: &Context, name: &str) -> Result<(), Status> {
    operation.step(name, async || Ok::<_, Status>(())).await
}

/// The body of each version; they agree on `night`.
async fn body(version: u32, operation: &Context, trail: &Trail) -> Result<(), Status> {
    match version {
        1 => quick(operation, "create").await?,
        2 => {
            quick(operation, "validate").await?;
            quick(operation, "create").await?;
        }
        3 => {
            if operation.introduced("validation").await? {
                trail.add("validated");
                quick(operation, "validate").await?;
            }
            quick(operation, "create").await?;
        }
        4 => operation.sleep("create", Duration::from_secs(7)).await?,
        5 => drop(
            operation
                .step("create", async || Ok::<_, Status>(7_u32))
                .await?,
        ),
        _ => {}
    }
    operation.sleep("night", HOUR).await?;
    trail.add(format!("version {version}"));
    Ok(())
}

impl Deployed {
    /// Version 1 has begun, and waits for the night.
    async fn new() -> Self {
        let (store, node) = store();
        let trail = Trail::default();
        let version = Arc::new(AtomicU32::new(1));
        let (deployed, log) = (version.clone(), trail.clone());
        let (operations, exporter, worker) = start_on(
            node,
            |it| it,
            move |_, operation| {
                let (version, log) = (deployed.load(Ordering::SeqCst), log.clone());
                async move {
                    body(version, &operation, &log).await?;
                    Ok(exported(version))
                }
            },
        )
        .await;
        let started = exporter.call(&["a"]).await.unwrap();
        let name = name(&started);
        suspended(&store, &name).await;
        Self {
            store,
            operations,
            version,
            trail,
            name,
            _exporter: exporter,
            _worker: worker,
        }
    }

    /// Returns why the operation is blocked, once it is.
    async fn blocked(&self, count: u32) -> String {
        let blocks = |record: &OperationRecord| {
            let steps = record.steps.as_ref()?;
            steps.blocked.clone()
        };
        let is_blocked =
            |record: &OperationRecord| blocks(record).is_some_and(|it| it.count >= count);
        let record = record_when(&self.store, &self.name, is_blocked).await;
        assert_eq!((record.state, record.attempt), (OperationState::Pending, 0));
        blocks(&record).unwrap().message
    }

    async fn ended(&self) -> u32 {
        let ended = Operation::from(self.operations.get(&self.name).await.unwrap());
        let ended = wait(&self.operations, &ended).await;
        ended.outcome().unwrap().response().unwrap().tables_exported
    }
}

/// steps:S14 steps:S15
#[tokio::test(start_paused = true)]
async fn a_new_step_before_a_recorded_one_blocks_until_code_that_fits_is_deployed() {
    let deployed = Deployed::new().await;
    deployed.version.store(2, Ordering::SeqCst);
    let why = deployed.blocked(5).await;
    assert!(
        why.contains("`validate` is new, but `create` was recorded"),
        "{why}"
    );
    deployed.version.store(1, Ordering::SeqCst);
    assert_eq!(deployed.ended().await, 1);
}

/// steps:S16
#[tokio::test(start_paused = true)]
async fn introduced_code_is_for_operations_that_have_not_passed_it() {
    let deployed = Deployed::new().await;
    deployed.version.store(3, Ordering::SeqCst);
    assert_eq!(deployed.ended().await, 3);
    assert_eq!(deployed.trail.events(), ["version 3"]);

    let new = Trail::default();
    let context = Context::detached();
    body(3, &context, &new).await.unwrap();
    assert_eq!(new.events(), ["validated", "version 3"]);
}

/// steps:S13
#[tokio::test(start_paused = true)]
async fn another_kind_or_type_of_a_recorded_call_blocks() {
    for (version, part) in [
        (4, "`create` is a sleep now, but was recorded as a step"),
        (
            5,
            "`create` returns a `google.protobuf.UInt32Value` now, but a `google.protobuf.Empty`",
        ),
    ] {
        let deployed = Deployed::new().await;
        deployed.version.store(version, Ordering::SeqCst);
        let why = deployed.blocked(1).await;
        assert!(why.contains(part), "{why}");
        deployed.version.store(1, Ordering::SeqCst);
        assert_eq!(deployed.ended().await, 1);
    }
}
