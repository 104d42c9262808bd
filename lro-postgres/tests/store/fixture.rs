use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::pack;
use lro_core::store::{
    Claim, Claimed, Command, NewOperation, OperationRecord, OperationStore, Outcome, Refusal,
    Update, Updated, WorkerId,
};
use lro_postgres::PostgresStore;
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
    };
    store.claim(claim).await.unwrap()
}

pub(crate) fn succeed(fence: u64) -> Command {
    Command::Finish {
        fence,
        outcome: Outcome::Response(pack(&())),
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
