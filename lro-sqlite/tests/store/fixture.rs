use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use lro_core::store::{
    Claim, Claimed, Command, NewOperation, OperationRecord, OperationStore, Refusal, StoreEvent,
    StoreObserver, Suspects, Update, Updated, WorkerId,
};
use lro_core::{Clock, Timestamp, pack};
use lro_sqlite::SqliteStore;
use prost_types::Any;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;
use uuid::Uuid;

pub(crate) const METHOD: &str = "/s.Service/Method";

pub(crate) const GATE: &str = "/s.Service/Gate";

pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// A directory with a store in it, and the store's time.
pub(crate) struct Fixture {
    directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            clock: Arc::default(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("operations.db")
    }

    pub(crate) async fn open(&self) -> SqliteStore {
        let builder = SqliteStore::builder(self.path()).clock(self.clock.clone());
        builder.open().await.unwrap()
    }

    /// As an operator's sqlite3 shell would.
    pub(crate) fn outsider(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    pub(crate) fn check_integrity(&self) {
        let connection = self.outsider();
        let ask = |sql| -> String { connection.query_row(sql, (), |row| row.get(0)).unwrap() };
        assert_eq!(ask("PRAGMA integrity_check"), "ok");
        let mut statement = connection.prepare("PRAGMA foreign_key_check").unwrap();
        assert!(
            !statement.exists(()).unwrap(),
            "a request without its operation"
        );
    }
}

#[derive(Debug, Default)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn advance(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap();
        self.0.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Stops the writer when it tells of an operation of [`GATE`].
pub(crate) struct Gate {
    entered: std::sync::Mutex<Option<oneshot::Sender<()>>>,
    open: std::sync::Mutex<mpsc::Receiver<()>>,
}

impl Gate {
    /// The gate, what tells that the writer stands at it, and what lets it pass.
    pub(crate) fn new() -> (Arc<Self>, oneshot::Receiver<()>, mpsc::Sender<()>) {
        let (entered, at_gate) = oneshot::channel();
        let (pass, open) = mpsc::channel();
        let gate = Self {
            entered: Some(entered).into(),
            open: open.into(),
        };
        (Arc::new(gate), at_gate, pass)
    }
}

impl StoreObserver for Gate {
    fn on_event(&self, event: &StoreEvent) {
        if matches!(event, StoreEvent::Ready { method, .. } if method == GATE)
            && let Some(entered) = self.entered.lock().unwrap().take()
        {
            entered.send(()).unwrap();
            let _ = self.open.lock().unwrap().recv();
        }
    }
}

pub(crate) fn new(name: &str) -> NewOperation {
    let request = payload("request", 40);
    NewOperation::new(Uuid::now_v7(), name.parse().unwrap(), METHOD, request)
}

pub(crate) fn payload(kind: &str, bytes: usize) -> Any {
    Any {
        type_url: format!("type.googleapis.com/test.{kind}"),
        value: (0..bytes).map(|i| (i * 31 % 256) as u8).collect(),
    }
}

pub(crate) fn worker() -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(7))
}

pub(crate) async fn start(store: &SqliteStore, operation: NewOperation) -> OperationRecord {
    let mut started = store.start(vec![operation]).await.unwrap();
    started.remove(0).unwrap().record
}

pub(crate) async fn claim(store: &SqliteStore, limit: usize) -> Claimed {
    claim_of(store, METHOD, limit).await
}

pub(crate) async fn claim_of(store: &SqliteStore, method: &str, limit: usize) -> Claimed {
    store.claim(claim_for(method, limit)).await.unwrap()
}

pub(crate) fn claim_for(method: &str, limit: usize) -> Claim {
    Claim {
        worker: worker(),
        methods: BTreeMap::from([(method.to_owned(), limit)]),
        limit,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: true,
    }
}

pub(crate) async fn update(
    store: &SqliteStore,
    name: &str,
    command: Command,
) -> Result<Updated, Refusal> {
    let name = name.parse().unwrap();
    let updates = vec![Update::by_name(name, command)];
    store.update(updates).await.unwrap().remove(0)
}

pub(crate) fn succeed(fence: u64) -> Command {
    Command::Finish {
        fence,
        outcome: lro_core::store::OperationOutcome::Response(pack(&())),
        metadata: None,
    }
}

pub(crate) async fn get(store: &SqliteStore, name: &str) -> Option<OperationRecord> {
    store.get(&name.parse().unwrap()).await.unwrap()
}

pub(crate) async fn list(store: &SqliteStore) -> Vec<OperationRecord> {
    let query = lro_core::store::ListQuery::new(lro_core::ParentName::default(), usize::MAX);
    store.list(query).await.unwrap().records
}
