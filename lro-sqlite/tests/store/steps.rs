use std::time::Duration;

use lro_core::store::{
    Change, Command, OperationRecord, OperationState, OperationStore, Refusal, StepKind,
    StepOutcome, StepQuery, StepRow, StepWake, StepWrite, StoreErrorKind, Update, Updated,
};
use lro_sqlite::SqliteStore;

use crate::fixture::*;

pub(crate) fn done(key: &str, bytes: usize) -> StepWrite {
    StepWrite {
        outcome: Some(StepOutcome::Response(payload("Step", bytes))),
        ..StepWrite::begun(key.parse().unwrap(), StepKind::Step)
    }
}

pub(crate) fn sleep(key: &str, duration: Duration) -> StepWrite {
    StepWrite {
        wake: Some(StepWake::After(duration)),
        ..StepWrite::begun(key.parse().unwrap(), StepKind::Sleep)
    }
}

pub(crate) fn record(fence: u64) -> Command {
    let metadata = None;
    Command::Record { fence, metadata }
}

pub(crate) fn suspend(fence: u64, waits: &str) -> Command {
    Command::Suspend {
        fence,
        waits: vec![waits.parse().unwrap()],
        ready_by: None,
        metadata: None,
    }
}

pub(crate) async fn with_steps(
    store: &SqliteStore,
    name: &str,
    command: Command,
    steps: Vec<StepWrite>,
) -> Result<Updated, Refusal> {
    let update = Update::by_name(name.parse().unwrap(), command).with_steps(steps);
    store.update(vec![update]).await.unwrap().remove(0)
}

pub(crate) async fn steps(store: &SqliteStore, record: &OperationRecord) -> Vec<StepRow> {
    store.steps(StepQuery::all(record.uid, 0)).await.unwrap()
}

pub(crate) async fn running(store: &SqliteStore, name: &str) -> OperationRecord {
    let mut operation = new(name);
    operation.claimed_by = Some((worker(), LEASE));
    start(store, operation).await
}

/// steps:S6 steps:W2
#[tokio::test]
async fn steps_and_suspensions_survive_when_the_file_is_opened_again() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let lost = running(&store, "operations/lost").await;
    let asleep = running(&store, "operations/asleep").await;
    let waiting = running(&store, "operations/waiting").await;
    let all = vec![done("small", 10), done("large", 100_000)];
    with_steps(&store, "operations/lost", record(1), all)
        .await
        .unwrap();
    let hour = Duration::from_secs(3_600);
    let nap = vec![done("before", 10), sleep("s", hour)];
    with_steps(&store, "operations/asleep", suspend(1, "s"), nap)
        .await
        .unwrap();
    let asked = StepWrite::begun("p".parse().unwrap(), StepKind::Promise);
    with_steps(&store, "operations/waiting", suspend(1, "p"), vec![asked])
        .await
        .unwrap();
    let mut before = Vec::new();
    for record in [&lost, &asleep, &waiting] {
        let name = record.name.as_str();
        before.push((
            get(&store, name).await.unwrap(),
            steps(&store, record).await,
        ));
    }
    drop(store);

    let store = fixture.open().await;
    for (record, rows) in &before {
        assert_eq!(&steps(&store, record).await, rows);
        let again = get(&store, record.name.as_str()).await.unwrap();
        assert_eq!(again.steps, record.steps);
        if record.uid != lost.uid {
            assert_eq!(&again, record, "no time passes for those that wait");
        }
    }
    let claimed = claim(&store, 9).await;
    let [again] = &claimed.operations[..] else {
        panic!("{claimed:?}");
    };
    assert_eq!((again.uid, again.fence), (lost.uid, 2));
    update(&store, "operations/lost", succeed(2)).await.unwrap();
    fixture.clock.advance(hour);
    let claimed = claim(&store, 9).await.operations;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].uid, asleep.uid);
    let yes = Command::Complete {
        key: "p".parse().unwrap(),
        outcome: StepOutcome::Response(payload("Yes", 1)),
    };
    update(&store, "operations/waiting", yes).await.unwrap();
    assert_eq!(claim(&store, 9).await.operations[0].uid, waiting.uid);
    drop(store);
    fixture.check_integrity();
}

/// steps:S6 steps:S21
#[tokio::test]
async fn the_steps_of_one_update_are_one_commit_with_its_command() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    running(&store, "operations/1").await;
    let commits = store.commits();
    let many = (0..50).map(|n| done(&format!("step{n}"), 100));
    with_steps(&store, "operations/1", record(1), many.collect())
        .await
        .unwrap();
    assert_eq!(store.commits(), commits + 1);
    with_steps(&store, "operations/1", succeed(1), vec![done("last", 1)])
        .await
        .unwrap();
    assert_eq!(store.commits(), commits + 2);
}

#[tokio::test]
async fn rows_of_steps_go_with_their_operation() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for name in ["operations/1", "operations/2"] {
        let mut operation = new(name);
        operation.policy.retain = Duration::from_secs(1);
        operation.claimed_by = Some((worker(), LEASE));
        start(&store, operation).await;
        let all = vec![done("a", 10), done("b", 10_000)];
        with_steps(&store, name, succeed(1), all).await.unwrap();
    }
    let removed = update(&store, "operations/1", Command::delete()).await;
    assert_eq!(removed.unwrap().change, Change::Removed);
    fixture.clock.advance(Duration::from_secs(2));
    assert_eq!(store.purge(9).await.unwrap(), 1);
    drop(store);
    let count = "SELECT count(*) FROM step";
    let count: i64 = fixture
        .outsider()
        .query_row(count, (), |row| row.get(0))
        .unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_corrupt_step_is_reported_and_blocks_no_other() {
    for damage in [
        "key = ''",
        "key = 'two words'",
        "kind = 99",
        "attempt = -1",
        "end_time = NULL",
        "value_kind = 9",
        "value_kind = 1",
        "value = x'ff'",
        "value = NULL",
        "child = x'ff'",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().await;
        let bad = running(&store, "operations/bad").await;
        let good = running(&store, "operations/good").await;
        for name in ["operations/bad", "operations/good"] {
            with_steps(&store, name, record(1), vec![done("a", 10)])
                .await
                .unwrap();
        }
        let sql = format!("UPDATE step SET {damage} WHERE uid = ?1");
        let uid = bad.uid.as_bytes();
        assert_eq!(fixture.outsider().execute(&sql, [uid]).unwrap(), 1);
        let error = store.steps(StepQuery::all(bad.uid, 0)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}: {error}");
        assert_eq!(steps(&store, &good).await.len(), 1);
        if !damage.starts_with("key") {
            let command = || Update::by_name(bad.name.clone(), record(1));
            let updates = vec![
                command().with_steps(vec![done("a", 10)]),
                command().with_steps(vec![done("b", 10)]),
                Update::by_name(good.name.clone(), record(1)).with_steps(vec![done("b", 10)]),
            ];
            let answers = store.update(updates).await.unwrap();
            assert!(matches!(answers[0], Err(Refusal::Corrupt(_))), "{damage}");
            assert!(answers[1].is_ok() && answers[2].is_ok(), "{damage}");
        }
        // It still ends, and goes with all that it has.
        update(&store, "operations/bad", succeed(1)).await.unwrap();
        update(&store, "operations/bad", Command::delete())
            .await
            .unwrap();
    }
}

/// steps:W2
#[tokio::test]
async fn claims_beside_ten_thousand_suspended_operations_leave_them_alone() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let count = 10_000;
    let names: Vec<_> = (0..count).map(|n| format!("operations/{n}")).collect();
    let operations = names.iter().map(|name| {
        let mut operation = new(name);
        operation.claimed_by = Some((worker(), LEASE));
        operation
    });
    store.start(operations.collect()).await.unwrap();
    let hour = Duration::from_secs(3_600);
    let suspended = names.iter().map(|name| {
        let nap = vec![sleep("s", hour)];
        Update::by_name(name.parse().unwrap(), suspend(1, "s")).with_steps(nap)
    });
    let answers = store.update(suspended.collect()).await.unwrap();
    let is_pending = |answer: &Result<Updated, Refusal>| {
        answer.as_ref().unwrap().state == OperationState::Pending
    };
    assert!(answers.iter().all(is_pending));
    drop(store);
    // Also when the file is opened again.
    let store = fixture.open().await;
    let commits = store.commits();
    let nothing = claim(&store, 100).await;
    assert_eq!((nothing.operations.len(), nothing.next_in), (0, Some(hour)));
    assert_eq!(
        store.commits(),
        commits,
        "the claim has not touched the file"
    );
    start(&store, new("operations/ready")).await;
    let claimed = claim(&store, 100).await.operations;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].name.as_str(), "operations/ready");
    fixture.clock.advance(hour);
    assert_eq!(claim(&store, 100).await.operations.len(), 100);
}
