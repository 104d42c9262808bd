//! Steps that are recorded without a read, by what the process has last seen of its operation.

mod interrupted;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use lro_core::store::{
    Change, Command, OperationRecord, OperationStore, Refusal, StepKind, StepOutcome, StepQuery,
    StepRow, StepWake, StepWrite, Update, Updated, WorkerId,
};
use lro_core::{Timestamp, pack};
use lro_postgres::PostgresStore;
use uuid::Uuid;

use crate::fixture::*;
use crate::support::Schema;

async fn running(store: &PostgresStore, name: &str) -> OperationRecord {
    let mut operation = new(name);
    operation.metadata = Some(pack(&"first".to_owned()));
    operation.labels = BTreeMap::from([("l".to_owned(), "v".to_owned())]);
    operation.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(1)), LEASE));
    let mut started = store.start(vec![operation]).await.unwrap();
    started.remove(0).unwrap().record
}

fn begun(key: &str) -> StepWrite {
    StepWrite::begun(key.parse().unwrap(), StepKind::Step)
}

fn done(key: &str, response: &str) -> StepWrite {
    StepWrite {
        attempt: 1,
        outcome: Some(StepOutcome::Response(pack(&response.to_owned()))),
        ..begun(key)
    }
}

fn recording(record: &OperationRecord, steps: Vec<StepWrite>) -> Update {
    recording_with(record, None, steps)
}

fn recording_with(
    record: &OperationRecord,
    metadata: Option<&str>,
    steps: Vec<StepWrite>,
) -> Update {
    let command = Command::Record {
        fence: record.fence,
        metadata: metadata.map(|text| pack(&text.to_owned())),
    };
    Update::by_uid(record.name.clone(), record.uid, command).with_steps(steps)
}

fn complete(record: &OperationRecord, key: &str) -> Update {
    let command = Command::Complete {
        key: key.parse().unwrap(),
        outcome: StepOutcome::Response(pack(&"given".to_owned())),
    };
    Update::by_name(record.name.clone(), command)
}

async fn one(store: &PostgresStore, update: Update) -> Result<Updated, Refusal> {
    store.update(vec![update]).await.unwrap().remove(0)
}

async fn rows(store: &PostgresStore, record: &OperationRecord) -> Vec<StepRow> {
    store.steps(StepQuery::all(record.uid, 0)).await.unwrap()
}

async fn keys(store: &PostgresStore, record: &OperationRecord) -> Vec<String> {
    let rows = rows(store, record).await;
    rows.iter().map(|row| row.key.to_string()).collect()
}

/// A row that nothing can read: what is still written of it is written without a read.
async fn damage(schema: &Schema, names: &[&str]) {
    let damage = "UPDATE operation SET labels = '\\xff' WHERE name = ANY($1)";
    let count = schema.outsider().await.execute(damage, &[&names]).await;
    assert_eq!(count.unwrap(), names.len() as u64);
}

async fn mend(schema: &Schema) {
    let mend = "UPDATE operation SET labels = NULL";
    schema.outsider().await.execute(mend, &[]).await.unwrap();
}

/// steps:S4 steps:S6 steps:S21
#[tokio::test(flavor = "multi_thread")]
async fn they_are_what_the_state_machine_makes_of_them() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    let status = lro_core::pb::rpc::Status {
        code: 0,
        message: "no".to_owned(),
        details: Vec::new(),
    };
    let sleep = |key: &str, wake| StepWrite {
        wake: Some(wake),
        ..StepWrite::begun(key.parse().unwrap(), StepKind::Sleep)
    };
    let after = Duration::from_micros(1_500_001);
    let at = Timestamp::from_micros(7);
    let groups = [
        vec![
            sleep("sleep/after", StepWake::After(after)),
            sleep("sleep/at", StepWake::At(at)),
            sleep("sleep/never", StepWake::After(Duration::MAX)),
            StepWrite {
                begun_ago: Duration::MAX,
                ..begun("z/long-ago")
            },
            StepWrite {
                begun_ago: Duration::from_micros(1),
                ..done("a/just-now", "yes")
            },
        ],
        vec![
            StepWrite {
                outcome: Some(StepOutcome::Error(status.clone())),
                sequential: false,
                ..begun("error")
            },
            StepWrite {
                attempt: 2,
                last_error: Some(status),
                ..begun("repeated")
            },
        ],
        vec![StepWrite {
            outcome: Some(StepOutcome::Abandoned),
            ..StepWrite::begun("promise".parse().unwrap(), StepKind::Promise)
        }],
        vec![StepWrite::begun("saga".parse().unwrap(), StepKind::Saga)],
    ];
    let mut expected: Vec<(OperationRecord, Vec<StepRow>)> = Vec::new();
    for n in 0..3 {
        expected.push((
            running(&store, &format!("operations/{n}")).await,
            Vec::new(),
        ));
    }
    let names = ["operations/0", "operations/1", "operations/2"];
    for (n, steps) in groups.iter().enumerate() {
        let metadata = ["first", "second"].get(n).copied();
        let records = expected.iter().map(|(record, _)| record);
        let updates = records.map(|record| recording_with(record, metadata, steps.clone()));
        let updates: Vec<Update> = updates.collect();
        damage(&schema, &names).await;
        let answers = store.update(updates.clone()).await.unwrap();
        mend(&schema).await;
        for (((record, found), update), answer) in expected.iter_mut().zip(updates).zip(answers) {
            let answer = answer.unwrap();
            assert!(answer.update_time > record.update_time);
            record.labels.clear();
            let none = HashMap::new();
            let (command, time) = (update.command, answer.update_time);
            let applied = record.apply_with_steps(command, update.steps, &none, time);
            let applied = applied.unwrap();
            assert_eq!(answer, Updated::new(applied.change, record));
            found.extend(applied.written);
            found.sort_by_key(|row| row.seq);
            let stored = get(&store, record.name.as_str()).await;
            assert_eq!(stored.as_ref(), Some(&*record));
            assert_eq!(&rows(&store, record).await, found);
        }
    }
    let kept = rows(&store, &expected[0].0).await;
    let row = |key: &str| kept.iter().find(|row| row.key.as_str() == key).unwrap();
    let long_ago = row("z/long-ago");
    assert_eq!(long_ago.begin_time, expected[0].0.create_time);
    let asleep = row("sleep/after");
    assert_eq!(
        asleep.wake_time,
        Some(asleep.begin_time.saturating_add(after))
    );
    assert_eq!(row("sleep/at").wake_time, Some(at));
    assert_eq!(row("sleep/never").wake_time, Some(Timestamp::MAX));
    assert_eq!(row("promise").wake_time, None);
}

/// steps:S8
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_has_begun_is_finished_in_its_row() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    let record = running(&store, "operations/1").await;
    // The first two without a read, the next by one, and the last without again.
    let steps = [
        vec![begun("a")],
        vec![begun("b"), done("c", "1")],
        vec![done("a", "1"), done("d", "1"), done("d", "1")],
    ];
    for steps in steps {
        let updated = one(&store, recording(&record, steps)).await.unwrap();
        assert_eq!(updated.change, Change::Record);
    }
    damage(&schema, &["operations/1"]).await;
    let last = recording(&record, vec![done("e", "1")]);
    assert_eq!(one(&store, last).await.unwrap().revision, 6);
    mend(&schema).await;
    let found = rows(&store, &record).await;
    let found: Vec<_> = found
        .iter()
        .map(|row| (row.key.as_str(), row.seq, row.is_finished()))
        .collect();
    let expected = [
        ("a", 1, true),
        ("b", 2, false),
        ("c", 3, true),
        ("d", 4, true),
        ("e", 5, true),
    ];
    assert_eq!(found, expected);
    let summary = get(&store, "operations/1").await.unwrap().steps.unwrap();
    assert_eq!((summary.rows, summary.seq), (5, 5));
}

/// The row is there, of which this run knows nothing: others of the group do not notice.
///
/// steps:S8
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_an_earlier_run_has_begun_is_finished_in_its_row() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    let record = running(&store, "operations/1").await;
    one(&store, recording(&record, vec![begun("a"), begun("b")]))
        .await
        .unwrap();
    let lost = Update::by_name(record.name.clone(), Command::Expire);
    one(&store, lost).await.unwrap();
    let again = claim(&store, 2, 1).await.operations.remove(0);
    let other = running(&store, "operations/2").await;
    damage(&schema, &["operations/2"]).await;
    let updates = vec![
        recording(&other, vec![done("a", "1")]),
        recording(&again, vec![done("a", "1"), done("c", "1")]),
    ];
    let answers = store.update(updates).await.unwrap();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let found = rows(&store, &again).await;
    let found: Vec<_> = found
        .iter()
        .map(|row| (row.key.as_str(), row.seq, row.fence, row.is_finished()))
        .collect();
    assert_eq!(
        found,
        [("a", 1, 2, true), ("b", 2, 1, false), ("c", 3, 2, true)]
    );
}

/// Starts, ends, renewals, and steps with and without a read.
#[tokio::test(flavor = "multi_thread")]
async fn others_go_with_them() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    let mut records = Vec::new();
    for n in 0..8 {
        records.push(running(&store, &format!("operations/{n}")).await);
    }
    let other = schema.store().notifications(false).open().await.unwrap();
    one(&other, complete(&records[1], "given")).await.unwrap();
    let by_uid =
        |n: usize, command| Update::by_uid(records[n].name.clone(), records[n].uid, command);
    let renew = Command::Renew {
        fence: 1,
        lease_duration: LEASE,
        metadata: None,
    };
    let stale = Command::Record {
        fence: 2,
        metadata: None,
    };
    let updates = vec![
        recording(&records[0], vec![done("a", "1"), done("b", "1")]),
        recording(&records[1], vec![done("a", "1")]),
        by_uid(2, succeed(1)),
        by_uid(3, renew),
        recording(&records[4], vec![done("a", "1")]),
        // Two of one operation are decided together.
        recording(&records[5], vec![done("a", "1")]),
        recording(&records[5], vec![done("b", "1")]),
        by_uid(6, succeed(1)).with_steps(vec![done("a", "1")]),
        by_uid(7, stale).with_steps(vec![done("a", "1")]),
    ];
    let (answers, started) = tokio::join!(
        store.update(updates),
        store.start(vec![new("operations/new")])
    );
    started.unwrap().remove(0).unwrap();
    let answers = answers.unwrap();
    let revisions: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map(|updated| updated.revision))
        .collect();
    let stale = Refusal::Stale;
    let expected = [3, 4, 3, 2, 3, 3, 4, 3].map(Ok).into_iter();
    assert_eq!(revisions, expected.chain([Err(&stale)]).collect::<Vec<_>>());
    let expected: [&[&str]; 8] = [
        &["a", "b"],
        &["given", "a"],
        &[],
        &[],
        &["a"],
        &["a", "b"],
        &["a"],
        &[],
    ];
    for (record, expected) in records.iter().zip(expected) {
        assert_eq!(keys(&store, record).await, expected, "{}", record.name);
    }
}
