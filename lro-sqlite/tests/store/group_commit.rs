use std::task::Poll;
use std::time::Duration;

use lro_core::store::{Command, OperationState, OperationStore, StoreErrorKind, Update};
use tokio::task::JoinHandle;

use crate::fixture::*;

/// Queues the calls while the writer stands still, so that they are one group.
async fn in_one_group<T: Send + 'static>(
    store: &lro_sqlite::SqliteStore,
    calls: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let (gate, at_gate, pass) = Gate::new();
    store.observe(gate);
    let mut operation = new("operations/gate");
    operation.method = GATE.to_owned();
    start(store, operation).await;
    at_gate.await.unwrap();
    let calls: Vec<JoinHandle<T>> = calls.into_iter().map(tokio::spawn).collect();
    // One thread, first come first served, at least one at each turn: afterwards every call is
    // queued, in order.
    for _ in 0..calls.len() {
        tokio::task::yield_now().await;
    }
    pass.send(()).unwrap();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn calls_that_wait_share_a_commit() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let calls = (0..1_000).map(|i| {
        let store = store.clone();
        async move { start(&store, new(&format!("operations/{i}"))).await }
    });
    in_one_group(&store, calls.collect()).await;
    assert_eq!(store.commits(), 1 + 2, "512 and 488");
    assert_eq!(list(&store).await.len(), 1_001);
}

#[tokio::test]
async fn renewals_and_cancellations_overtake() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/1")).await;
    let command = |store: &lro_sqlite::SqliteStore, command: Command| {
        let store = store.clone();
        async move { update(&store, "operations/1", command).await }
    };
    let calls = vec![
        command(&store, Command::delete()),
        command(&store, Command::cancel()),
    ];
    let answers = in_one_group(&store, calls).await;
    assert_eq!(
        answers[1].as_ref().unwrap().state,
        OperationState::Cancelled
    );
    assert_eq!(
        answers[0].as_ref().unwrap().change,
        lro_core::store::Change::Removed
    );
}

#[tokio::test]
async fn a_dropped_purge_ends_with_its_commit() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let ended = |i| {
        let mut operation = new(&format!("operations/{i}"));
        operation.outcome = Some(lro_core::store::OperationOutcome::Response(lro_core::pack(
            &(),
        )));
        operation.policy.retain = Duration::ZERO;
        operation
    };
    store.start((0..1_000).map(ended).collect()).await.unwrap();
    let other = store.clone();
    let dropped = async move {
        let mut purge = std::pin::pin!(other.purge(1_000));
        std::future::poll_fn(|context| Poll::Ready(purge.as_mut().poll(context))).await
    };
    let polled = in_one_group(&store, vec![dropped]).await;
    assert!(polled[0].is_pending());
    // Waits for what is queued.
    drop(store);
    let left = list(&fixture.open().await).await.len();
    assert!((500..1_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_claim_without_work_does_not_touch_the_file() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let mut scheduled = new("operations/1");
    scheduled.ready_time = Some(lro_core::Timestamp::from_micros(5));
    start(&store, scheduled).await;
    let outsider = fixture.outsider();
    outsider.execute_batch("BEGIN IMMEDIATE").unwrap();
    let claimed = claim(&store, 9).await;
    assert_eq!(claimed.operations, []);
    assert_eq!(claimed.next_in, Some(Duration::from_micros(5)));
    assert_eq!(store.commits(), 1);
}

#[tokio::test]
async fn a_refusal_does_not_disturb_its_neighbours() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let names = ["operations/1", "operations/1", "operations/2"];
    let started = store.start(names.map(new).into()).await.unwrap();
    assert_eq!(
        started.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true]
    );
    let updates = ["operations/1", "operations/9", "operations/2"]
        .map(|name| Update::by_name(name.parse().unwrap(), Command::cancel()));
    let updated = store.update(updates.into()).await.unwrap();
    assert_eq!(
        updated.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true]
    );
}

#[tokio::test]
async fn readers_see_what_was_acknowledged() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for i in 0..300 {
        let record = start(&store, new(&format!("operations/{i}"))).await;
        assert_eq!(get(&store, record.name.as_str()).await, Some(record));
    }
}

/// Lets an insert of `operations/bad` do what the trigger says.
fn sabotage(fixture: &Fixture, what: &str) {
    let sql = format!(
        "CREATE TABLE orphan (uid BLOB REFERENCES operation (uid) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER sabotage AFTER INSERT ON operation WHEN new.name = 'operations/bad'
         BEGIN {what}; END"
    );
    fixture.outsider().execute_batch(&sql).unwrap();
}

/// Starts 1, bad and 2 in one group; answers which were started.
async fn sabotaged(what: &str) -> [bool; 3] {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    sabotage(&fixture, what);
    let calls = ["operations/1", "operations/bad", "operations/2"].map(|name| {
        let store = store.clone();
        async move { store.start(vec![new(name)]).await }
    });
    let answers = in_one_group(&store, calls.into()).await;
    let started = [0, 1, 2].map(|i| answers[i].is_ok());
    for answer in answers.into_iter().filter_map(Result::err) {
        assert_eq!(answer.kind(), StoreErrorKind::Unavailable, "{answer:?}");
    }
    let count = started.iter().filter(|started| **started).count();
    assert_eq!(list(&store).await.len(), 1 + count);
    let claimed = claim(&store, 9).await;
    assert_eq!(claimed.operations.len(), count, "memory and file agree");
    assert_eq!(claimed.next_in, (count > 0).then_some(LEASE));
    start(&store, new("operations/3")).await;
    drop(store);
    fixture.check_integrity();
    started
}

#[tokio::test]
async fn a_statement_that_fails_fails_alone() {
    assert_eq!(
        sabotaged("SELECT RAISE(ABORT, 'no')").await,
        [true, false, true]
    );
}

#[tokio::test]
async fn a_transaction_that_sqlite_gives_up_fails_so_far() {
    assert_eq!(
        sabotaged("SELECT RAISE(ROLLBACK, 'no')").await,
        [false, false, true]
    );
}

#[tokio::test]
async fn a_commit_that_fails_fails_for_all() {
    let orphan = "INSERT INTO orphan VALUES (x'00')";
    assert_eq!(sabotaged(orphan).await, [false, false, false]);
}

#[tokio::test]
async fn a_large_request_that_fails_leaves_no_operation() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let sql = "CREATE TRIGGER sabotage BEFORE INSERT ON large_request
               BEGIN SELECT RAISE(ABORT, 'no'); END";
    fixture.outsider().execute_batch(sql).unwrap();
    let mut large = new("operations/large");
    large.request = payload("Request", 10_000);
    store.start(vec![large]).await.unwrap_err();
    assert_eq!(get(&store, "operations/large").await, None);
    assert_eq!(claim(&store, 9).await, lro_core::store::Claimed::default());
    start(&store, new("operations/small")).await;
}

#[tokio::test]
async fn an_observer_that_panics_does_not_stop_the_store() {
    #[derive(Debug)]
    struct Panics;
    impl lro_core::store::StoreObserver for Panics {
        fn on_event(&self, _: &lro_core::store::StoreEvent) {
            panic!("on purpose");
        }
    }
    let fixture = Fixture::new();
    let store = fixture.open().await;
    store.observe(std::sync::Arc::new(Panics));
    start(&store, new("operations/1")).await;
    start(&store, new("operations/2")).await;
}
