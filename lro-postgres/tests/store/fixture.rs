use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lro_core::pack;
use lro_core::store::{
    Claim, Claimed, Command, NewOperation, OperationOutcome, OperationRecord, OperationStore,
    Refusal, StoreError, Suspects, Update, Updated, WorkerId,
};
use lro_postgres::PostgresStore;
use lro_testing::EventLog;
use test_programs::postgres::{Cluster, Pooler};
use uuid::Uuid;

pub(crate) const METHOD: &str = "/s.Service/Method";

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn new(name: &str) -> NewOperation {
    NewOperation::new(Uuid::now_v7(), name.parse().unwrap(), METHOD, pack(&()))
}

pub(crate) async fn start(store: &PostgresStore, name: &str) -> OperationRecord {
    let mut started = store.start(vec![new(name)]).await.unwrap();
    started.remove(0).unwrap().record
}

pub(crate) async fn claim(store: &PostgresStore, worker: u128, limit: usize) -> Claimed {
    let claim = Claim {
        worker: WorkerId::from_uuid(Uuid::from_u128(worker)),
        methods: BTreeMap::from([(METHOD.to_owned(), limit)]),
        limit,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: true,
    };
    store.claim(claim).await.unwrap()
}

pub(crate) fn succeed(fence: u64) -> Command {
    Command::Finish {
        fence,
        outcome: OperationOutcome::Response(pack(&())),
        metadata: None,
    }
}

pub(crate) async fn update(
    store: &PostgresStore,
    record: &OperationRecord,
    command: Command,
) -> Result<Updated, Refusal> {
    let update = Update::by_uid(record.name.clone(), record.uid, command);
    store.update(vec![update]).await.unwrap().remove(0)
}

pub(crate) async fn get(store: &PostgresStore, name: &str) -> Option<OperationRecord> {
    store.get(&name.parse().unwrap()).await.unwrap()
}

/// A server of its own; `None`, which is said, where there is no PostgreSQL.
pub(crate) async fn private_cluster() -> Option<Arc<Cluster>> {
    test_programs::postgres::shared_or_skip()?;
    let cluster = blocking(|| Cluster::start().unwrap()).await;
    Some(Arc::new(cluster))
}

/// PgBouncer in transaction mode before the port of a server, or of a link to it.
pub(crate) async fn pooler(cluster: &Arc<Cluster>, port: u16) -> Option<Pooler> {
    let cluster = cluster.clone();
    blocking(move || Pooler::start_before_or_skip(&cluster, port)).await
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Waits for what gives no signal.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = tokio::time::timeout(EventLog::PATIENCE, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waiting.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Starts one, whose error is a result.
pub(crate) async fn try_start(
    store: &PostgresStore,
    name: &str,
) -> Result<OperationRecord, StoreError> {
    let mut started = store.start(vec![new(name)]).await?;
    Ok(started.remove(0).unwrap().record)
}
