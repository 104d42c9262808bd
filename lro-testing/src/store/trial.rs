use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lro_core::store::{
    Claimed, Command, ListQuery, NewOperation, OperationRecord, OperationStore, Page, PageCursor,
    Refusal, StartError, Started, Update, Updated,
};
use lro_core::{Clock, OperationName, Timestamp};

use super::build::{METHOD, any, claim, name, parent, uid, worker};
use super::fixture::Fixture;
use crate::{EventLog, ManualClock};

/// The environment of one case: a fresh store, its clock, and short methods to call it.
pub(crate) struct Trial {
    pub(crate) clock: Arc<ManualClock>,
    fixture: Fixture,
    uids: AtomicU64,
}

impl Trial {
    pub(crate) fn new(fixture: Fixture, clock: Arc<ManualClock>) -> Self {
        Self {
            clock,
            fixture,
            uids: AtomicU64::new(1),
        }
    }

    pub(crate) fn store(&self) -> &Arc<dyn OperationStore> {
        self.fixture.store()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    pub(crate) fn observe(&self) -> Arc<EventLog> {
        let log = Arc::new(EventLog::new());
        self.store().observe(log.clone());
        log
    }

    /// A new operation of [`METHOD`]; each one's uid is greater than those before.
    pub(crate) fn operation(&self, of: &str) -> NewOperation {
        let n = self.uids.fetch_add(1, Ordering::Relaxed);
        NewOperation::new(uid(n), name(of), METHOD, any(of))
    }

    pub(crate) async fn start_all(
        &self,
        operations: Vec<NewOperation>,
    ) -> Vec<Result<Started, StartError>> {
        let count = operations.len();
        let answers = self.store().start(operations).await.unwrap();
        assert_eq!(answers.len(), count, "one answer an element");
        answers
    }

    pub(crate) async fn start(&self, operation: NewOperation) -> Result<Started, StartError> {
        self.start_all(vec![operation]).await.remove(0)
    }

    /// Starts a new operation, and checks its whole record.
    pub(crate) async fn started(&self, operation: NewOperation) -> OperationRecord {
        let expected = self.expected(operation.clone());
        let started = self.start(operation).await.unwrap();
        assert!(!started.existing, "it is a new one");
        assert_eq!(started.record, expected);
        assert_eq!(self.get(&expected.name).await.as_ref(), Some(&expected));
        expected
    }

    /// The expected record of a start at the present time.
    pub(crate) fn expected(&self, operation: NewOperation) -> OperationRecord {
        let claimed_by = operation.claimed_by;
        let mut record = OperationRecord::new(operation, self.now());
        if let Some((worker, lease_duration)) = claimed_by {
            let claim = Command::Claim {
                worker,
                lease_duration,
            };
            // Refused when it is not ready: then it is pending.
            let _ = record.apply(claim, self.now());
        }
        record
    }

    pub(crate) async fn pending(&self, of: &str) -> OperationRecord {
        self.started(self.operation(of)).await
    }

    /// One that worker 1 runs, with fence 1.
    pub(crate) async fn running(&self, of: &str) -> OperationRecord {
        let operation = self.operation(of);
        self.running_from(operation).await
    }

    pub(crate) async fn running_from(&self, mut operation: NewOperation) -> OperationRecord {
        operation.claimed_by = Some((worker(1), super::build::LEASE));
        self.started(operation).await
    }

    /// Claims operations of [`METHOD`] for worker 1.
    pub(crate) async fn claim(&self, limit: usize) -> Claimed {
        let claim = claim(worker(1), &[METHOD], limit);
        self.store().claim(claim).await.unwrap()
    }

    pub(crate) async fn claimed_names(&self, limit: usize) -> Vec<String> {
        names(&self.claim(limit).await.operations)
    }

    /// Claims the one operation there is to claim, and mirrors that in `record`.
    pub(crate) async fn reclaim(&self, record: &mut OperationRecord) {
        let claimed = self.claim(10).await.operations;
        let command = Command::Claim {
            worker: worker(1),
            lease_duration: super::build::LEASE,
        };
        record.apply(command, self.now()).unwrap();
        assert_eq!(claimed, std::slice::from_ref(record));
    }

    pub(crate) async fn update(
        &self,
        name: &OperationName,
        command: Command,
    ) -> Result<Updated, Refusal> {
        let update = Update::by_name(name.clone(), command);
        self.update_all(vec![update]).await.remove(0)
    }

    pub(crate) async fn update_all(&self, updates: Vec<Update>) -> Vec<Result<Updated, Refusal>> {
        let count = updates.len();
        let answers = self.store().update(updates).await.unwrap();
        assert_eq!(answers.len(), count, "one answer an element");
        answers
    }

    /// Gives the command to the store and to `record`; both are to answer and to be the same.
    pub(crate) async fn apply(
        &self,
        record: &mut OperationRecord,
        command: Command,
    ) -> Result<Updated, Refusal> {
        let expected = record.apply(command.clone(), self.now());
        let expected = expected.map(|change| Updated::new(change, record));
        let answer = self.update(&record.name, command.clone()).await;
        assert_eq!(answer, expected, "the answer to {command:?}");
        let removed =
            matches!(&answer, Ok(updated) if updated.change == lro_core::store::Change::Removed);
        if !removed {
            let visible = record.is_visible().then_some(&*record);
            assert_eq!(
                self.get(&record.name).await.as_ref(),
                visible,
                "the record after {command:?}"
            );
        }
        answer
    }

    /// Expires leases, claims nothing, and mirrors that in `record`, whose worker held nothing else.
    pub(crate) async fn expire(&self, record: &mut OperationRecord) {
        self.expire_as(record, Command::Expire).await;
    }

    /// The same with the command that the claim must apply.
    pub(crate) async fn expire_as(&self, record: &mut OperationRecord, command: Command) {
        let claimed = self
            .store()
            .claim(claim(worker(9), &["/test.None/None"], 10))
            .await
            .unwrap();
        assert_eq!(claimed.operations, []);
        let _ = record.apply(command, self.now()).unwrap();
        let visible = record.is_visible().then_some(&*record);
        assert_eq!(self.get(&record.name).await.as_ref(), visible);
    }

    pub(crate) async fn get(&self, name: &OperationName) -> Option<OperationRecord> {
        self.store().get(name).await.unwrap()
    }

    pub(crate) async fn get_deleted(&self, name: &OperationName) -> Option<OperationRecord> {
        self.store().get_deleted(name).await.unwrap()
    }

    pub(crate) async fn page(&self, below: &str, after: Option<PageCursor>, limit: usize) -> Page {
        let mut query = ListQuery::new(parent(below), limit);
        query.after = after;
        let page = self.store().list(query).await.unwrap();
        assert!(page.records.len() <= limit, "more than the limit");
        page
    }

    /// The names of everything below a parent.
    pub(crate) async fn list(&self, below: &str) -> Vec<String> {
        let page = self.page(below, None, 10_000).await;
        assert_eq!(page.next, None);
        names(&page.records)
    }

    pub(crate) async fn purge(&self, limit: usize) -> usize {
        self.store().purge(limit).await.unwrap()
    }
}

pub(crate) fn names(records: &[OperationRecord]) -> Vec<String> {
    records
        .iter()
        .map(|record| record.name.as_str().to_owned())
        .collect()
}
