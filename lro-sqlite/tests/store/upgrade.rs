//! guarantee:R18: a file of an older version of the store.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{
    Actor, Command, ExecutionPolicy, History, ListQuery, OperationRecord, OperationResult,
    OperationState, OperationStore as _, StartError, StepOutcome,
};
use rusqlite::Connection;
use uuid::Uuid;

use crate::fixture::*;

const FIRST_VERSION: &str = include_str!("../../src/migrations/1_operation.sql");

/// The same operations in a file of version 1, in the place of the one there is.
fn age(fixture: &Fixture) {
    let old = fixture.path().with_file_name("old.db");
    let connection = Connection::open(&old).unwrap();
    connection.execute_batch(FIRST_VERSION).unwrap();
    connection
        .pragma_update(None, "application_id", 0x4c52_4f53)
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    let path = fixture.path();
    connection
        .execute("ATTACH ?1 AS new", [path.to_str().unwrap()])
        .unwrap();
    for table in ["operation", "large_request"] {
        let columns: String = connection
            .query_row(
                "SELECT group_concat(name) FROM pragma_table_info(?1)",
                [table],
                |row| row.get(0),
            )
            .unwrap();
        let copy = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}");
        connection.execute(&copy, ()).unwrap();
    }
    drop(connection);
    for suffix in ["-wal", "-shm"] {
        // Mostly not there any more: the store has closed them.
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    std::fs::rename(old, path).unwrap();
}

fn schema(fixture: &Fixture) -> (i32, Vec<String>) {
    let connection = fixture.outsider();
    let version = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let sql = "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY type, name";
    let mut statement = connection.prepare(sql).unwrap();
    let parts = statement.query_map((), |row| row.get(0)).unwrap();
    (version, parts.map(Result::unwrap).collect())
}

/// Operations in every state, with small and large requests.
async fn fill(fixture: &Fixture) -> Vec<OperationRecord> {
    let store = fixture.open().await;
    for number in 0..300 {
        let mut operation = new(&format!("operations/{number}"));
        if number % 7 == 0 {
            operation.request = payload("request", 100_000);
        }
        start(&store, operation).await;
        fixture.clock.advance(std::time::Duration::from_millis(3));
    }
    for (number, record) in claim(&store, 200).await.operations.into_iter().enumerate() {
        let command = match number % 4 {
            0 => succeed(1),
            1 => Command::cancel(),
            2 => Command::delete(),
            _ => continue,
        };
        update(&store, record.name.as_str(), command).await.unwrap();
    }
    // Running operations are requeued when the file is opened again.
    drop(store);
    let store = fixture.open().await;
    let all = list(&store).await;
    assert_eq!(all.len(), 250, "what is hidden is not listed");
    drop(store);
    all
}

#[tokio::test]
async fn a_file_of_the_first_version_becomes_a_new_one_with_all_that_is_in_it() {
    let fixture = Fixture::new();
    let mut all = fill(&fixture).await;
    // The first version did not count losses, and kept no history.
    for record in &mut all {
        record.losses = 0;
        record.attempt_time = None;
        record.history = History::default();
    }
    let fresh = schema(&fixture);
    age(&fixture);
    assert_eq!(schema(&fixture).0, 1);
    assert_ne!(schema(&fixture).1, fresh.1);
    let store = fixture.open().await;
    assert_eq!(list(&store).await, all);
    let started = start(&store, new("operations/later")).await;
    assert_eq!(list(&store).await[0], started.public_part());
    drop(store);
    assert_eq!(schema(&fixture), fresh);
    fixture.check_integrity();
}

/// A file that version 0.1.0 had written when its process was killed (commit 77598d1, schema version
/// 2, the write-ahead log written back). Never to be written anew: users have such files.
const WRITTEN: &[u8] = include_bytes!("../data/written_by_77598d1.db");

/// Of the operations in it.
const WRITTEN_METHOD: &str = "/test.Service/Method";

#[tokio::test]
async fn a_file_of_a_published_version_is_upgraded_and_served() {
    let fixture = Fixture::new();
    drop(fixture.open().await);
    let fresh = schema(&fixture);
    std::fs::write(fixture.path(), WRITTEN).unwrap();
    // 2026-01-02, a day after it was written.
    fixture.clock.advance(Duration::from_secs(1_767_312_000));
    let store = fixture.open().await;
    let named = |name: &str| format!("projects/p/operations/{name}");
    let of = async |name: &str| get(&store, &named(name)).await.unwrap();

    let pending = of("pending").await;
    assert_eq!(pending.uid, Uuid::from_u128(1));
    assert_eq!(
        (pending.state, pending.attempt),
        (OperationState::Pending, 0)
    );
    assert_eq!(pending.request, payload("Request", 40));
    assert_eq!(pending.exclusive_key.as_deref(), Some("key"));
    assert_eq!(pending.labels["e\u{301}"], "\u{212a}");
    assert_eq!(of("large").await.request, payload("Request", 10_000));
    let scheduled = get(&store, "operations/scheduled").await.unwrap();
    assert_eq!(
        scheduled.ready_time,
        Timestamp::from_micros(4_102_444_800_000_000)
    );

    // Running operations of the process that was killed: lost together, they use up no attempt.
    let running = of("running").await;
    assert_eq!(
        (running.state, running.attempt, running.losses),
        (OperationState::Pending, 0, 1)
    );
    assert_eq!(running.checkpoint, Some(payload("Checkpoint", 500)));
    assert_eq!(running.metadata, Some(payload("Metadata", 16)));
    assert_eq!(of("cancelling").await.state, OperationState::Cancelled);
    assert_eq!(of("abort").await.state, OperationState::Failed);
    assert_eq!(of("retried").await.state, OperationState::Pending);
    assert_eq!(get(&store, &named("hidden")).await, None);
    assert_eq!(get(&store, &named("removed")).await, None);

    // Finished operations.
    let succeeded = of("succeeded").await;
    let response = OperationResult::Response(payload("Response", 1_000));
    assert_eq!(succeeded.result, Some(response));
    assert_eq!(succeeded.metadata, Some(payload("Metadata", 17)));
    let Some(OperationResult::Error(error)) = of("failed").await.result else {
        panic!("no error");
    };
    assert_eq!((error.code, &*error.message), (9, "not now"));
    assert_eq!(error.details, [payload("Detail", 9)]);
    assert_eq!(of("cancelled").await.state, OperationState::Cancelled);

    // That version did not keep who ran what is done.
    let attempts = |record: &OperationRecord| {
        let attempts = record.attempts().into_iter();
        let attempts = attempts.map(|it| (it.outcome.as_str(), it.worker.is_some()));
        attempts.collect::<Vec<_>>()
    };
    assert_eq!(attempts(&succeeded), [("SUCCEEDED", false)]);
    assert_eq!(attempts(&running), [("WORKER_LOST", true)]);
    assert_eq!(attempts(&of("retried").await), []);
    assert_eq!(succeeded.history, History::default());

    // It is served as if this version had written it.
    let mut again = new(&named("again"));
    again.method = WRITTEN_METHOD.to_owned();
    again.exclusive_key = Some("key".to_owned());
    let held = store.start(vec![again.clone()]).await.unwrap().remove(0);
    let holder = pending.name.clone();
    assert_eq!(held, Err(StartError::ExclusiveKeyHeld(holder)));
    again.request_id = pending.request_id.clone();
    let existing = store.start(vec![again]).await.unwrap().remove(0).unwrap();
    assert!(existing.existing && existing.record == pending);
    let query = ListQuery::new(
        "projects/p".parse::<lro_core::ParentName>().unwrap(),
        usize::MAX,
    );
    let listed = store.list(query).await.unwrap().records;
    assert_eq!(listed.len(), 9);
    let claimed = claim_of(&store, WRITTEN_METHOD, 9).await.operations;
    let mut names: Vec<_> = claimed.iter().map(|it| it.name.operation_id()).collect();
    names.sort_unstable();
    assert_eq!(names, ["hidden", "large", "pending", "retried", "running"]);
    for record in &claimed {
        let finished = update(&store, record.name.as_str(), succeed(record.fence)).await;
        finished.unwrap();
    }
    fixture.clock.advance(ExecutionPolicy::DEFAULT_RETAIN * 2);
    // All but the scheduled one, and the hidden one, which went when it finished.
    assert_eq!(store.purge(usize::MAX).await.unwrap(), 9);
    drop(store);
    assert_eq!(schema(&fixture), fresh);
    fixture.check_integrity();
}

/// A file that the last version without a history had written when its process was killed (commit
/// 234dee4, schema version 4, the write-ahead log written back). Never to be written anew.
const WITHOUT_HISTORY: &[u8] = include_bytes!("../data/written_by_234dee4.db");

#[tokio::test]
async fn a_file_without_a_history_is_upgraded_and_keeps_one_from_then_on() {
    let fixture = Fixture::new();
    drop(fixture.open().await);
    let fresh = schema(&fixture);
    std::fs::write(fixture.path(), WITHOUT_HISTORY).unwrap();
    assert_eq!(schema(&fixture).0, 4);
    // 2026-01-02, a day after it was written.
    fixture.clock.advance(Duration::from_secs(1_767_312_000));
    let store = fixture.open().await;
    let named = |name: &str| format!("projects/p/operations/{name}");
    let of = async |name: &str| get(&store, &named(name)).await.unwrap();

    // That version counted losses, and did not keep the attempts before the last one.
    let lost = of("lost").await;
    assert_eq!((lost.state, lost.losses), (OperationState::Pending, 2));
    assert_eq!(lost.origin.principal, "ada");
    let outcomes = |record: &OperationRecord| {
        let attempts = record.attempts().into_iter();
        let attempts = attempts.map(|it| (it.fence, it.outcome.as_str(), it.worker.is_some()));
        attempts.collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&lost), [(2, "WORKER_LOST", true)]);
    assert_eq!(outcomes(&of("running").await), [(1, "WORKER_LOST", true)]);
    assert_eq!(outcomes(&of("pending").await), []);
    for (name, attempts) in [
        ("succeeded", &[(1, "SUCCEEDED", false)][..]),
        ("failed", &[(1, "FAILED", false)]),
        // Whether it ran when it was cancelled is not known.
        ("cancelled", &[]),
    ] {
        let record = of(name).await;
        assert_eq!(outcomes(&record), attempts, "{name}");
        assert_eq!(record.history.cancelled_by, None);
        assert_eq!(record.metadata, Some(payload("Metadata", 17)));
    }
    assert_eq!(of("cancelling").await.state, OperationState::Cancelled);
    assert_eq!(get(&store, &named("deleted")).await, None);

    // What happens from now on is kept.
    let ada = Actor {
        principal: "ada".to_owned(),
        reason: "wrong bucket".to_owned(),
    };
    let claimed = claim_of(&store, WRITTEN_METHOD, 9).await.operations;
    let names: Vec<_> = claimed.iter().map(|it| it.name.operation_id()).collect();
    assert_eq!(
        names,
        ["lost"],
        "its workers were lost twice: it is tried alone"
    );
    update(&store, &named("pending"), Command::Cancel(ada.clone()))
        .await
        .unwrap();
    assert_eq!(of("pending").await.history.cancelled_by, Some(ada.clone()));
    drop(store);
    assert_eq!(schema(&fixture), fresh);
    fixture.check_integrity();
    let store = fixture.open().await;
    let pending = get(&store, &named("pending")).await.unwrap();
    assert_eq!(pending.history.cancelled_by, Some(ada));
    assert_eq!(pending.state, OperationState::Cancelled);
}

/// A file that the last version without far operations had written when its process was killed (commit 4395d5f, schema
/// version 6, the write-ahead log written back). Never to be written anew.
const WITHOUT_FAR: &[u8] = include_bytes!("../data/written_by_4395d5f.db");

#[tokio::test]
async fn operations_that_wait_in_a_file_of_an_older_version_are_woken() {
    let fixture = Fixture::new();
    drop(fixture.open().await);
    let fresh = schema(&fixture);
    std::fs::write(fixture.path(), WITHOUT_FAR).unwrap();
    assert_eq!(schema(&fixture).0, 6);
    let minutes = |number: u64| Duration::from_secs(60 * number);
    // 2026-01-01T02:00:00Z, when it was written.
    fixture.clock.advance(Duration::from_secs(1_767_232_800));
    let store = fixture.open().await;
    let claimed = async || {
        let claimed = claim_of(&store, WRITTEN_METHOD, 9).await;
        let names = claimed.operations.iter();
        let mut names: Vec<_> = names.map(|it| it.name.operation_id().to_owned()).collect();
        names.sort_unstable();
        for record in claimed.operations {
            let name = record.name.as_str();
            update(&store, name, succeed(record.fence)).await.unwrap();
        }
        (names.join(" "), claimed.next_in)
    };
    // Those that are claimed have a lease of half a minute.
    assert_eq!(claimed().await.0, "pending running");
    assert_eq!(claimed().await.1, Some(minutes(1)));
    fixture.clock.advance(minutes(1));
    // It began two hours before.
    assert_eq!(claimed().await.0, "old");
    fixture.clock.advance(minutes(29));
    assert_eq!(claimed().await.0, "near");
    fixture.clock.advance(minutes(60));
    assert_eq!(claimed().await.0, "hidden");
    let yes = Command::Complete {
        key: "approved".parse().unwrap(),
        outcome: StepOutcome::Response(payload("Yes", 1)),
    };
    update(&store, "projects/p/operations/asked", yes)
        .await
        .unwrap();
    assert_eq!(claimed().await.0, "asked");
    drop(store);
    assert_eq!(schema(&fixture), fresh);
    fixture.check_integrity();

    let store = fixture.open().await;
    fixture.clock.advance(minutes(60 * 24 * 31));
    let late = claim_of(&store, WRITTEN_METHOD, 9).await.operations;
    let late: Vec<_> = late.iter().map(|it| it.name.operation_id()).collect();
    assert_eq!(late, ["far"]);
    // That a caller cancelled it.
    let ended = get(&store, "projects/p/operations/ended").await.unwrap();
    assert_eq!(ended.state, OperationState::Cancelled);
    let never = get(&store, "projects/p/operations/never").await.unwrap();
    assert!(never.is_suspended());
}
