//! Writes by others between two recordings, and answers that are lost.

use super::*;
use crate::link::Link;

/// By this node and by another one, each of which changes the revision.
///
/// steps:P2
#[tokio::test(flavor = "multi_thread")]
async fn a_promise_completed_between_two_of_them_counts() {
    let Some(schema) = Schema::new() else { return };
    let open = || schema.store().notifications(false).open();
    let (store, other) = (open().await.unwrap(), open().await.unwrap());
    let record = running(&store, "operations/1").await;
    let same_as_given = || StepWrite {
        kind: StepKind::Promise,
        ..done("other", "given")
    };
    one(&store, recording(&record, vec![done("a", "1")]))
        .await
        .unwrap();
    one(&other, complete(&record, "other")).await.unwrap();
    one(&store, recording(&record, vec![done("b", "1")]))
        .await
        .unwrap();
    one(&store, complete(&record, "same")).await.unwrap();
    one(&store, recording(&record, vec![done("c", "1")]))
        .await
        .unwrap();
    // The row is there, though this process did not write it.
    let again = recording(&record, vec![same_as_given()]);
    assert_eq!(one(&store, again).await.unwrap().change, Change::Nothing);
    let late = StepWrite {
        kind: StepKind::Promise,
        ..done("other", "late")
    };
    let finished = Err(Refusal::StepFinished(late.key.clone()));
    let late = recording(&record, vec![done("d", "1"), late]);
    assert_eq!(one(&store, late).await, finished);
    assert_eq!(
        keys(&store, &record).await,
        ["a", "other", "b", "same", "c"]
    );
    let found = get(&store, "operations/1").await.unwrap();
    let summary = found.steps.unwrap();
    assert_eq!((found.revision, summary.rows, summary.early), (7, 5, 2));
}

/// steps:S9
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_another_node_has_replaced_records_nothing() {
    let Some(schema) = Schema::new() else { return };
    let open = || schema.store().notifications(false).open();
    let (store, other) = (open().await.unwrap(), open().await.unwrap());
    let record = running(&store, "operations/1").await;
    one(&store, recording(&record, vec![done("a", "1")]))
        .await
        .unwrap();
    let lost = Update::by_name(record.name.clone(), Command::Expire);
    one(&other, lost).await.unwrap();
    let taken = claim(&other, 2, 1).await.operations.remove(0);
    assert_eq!(taken.fence, 2);
    for key in ["b", "c"] {
        let late = recording(&record, vec![done(key, "late")]);
        assert_eq!(one(&store, late).await, Err(Refusal::Stale));
    }
    one(&other, recording(&taken, vec![done("b", "2")]))
        .await
        .unwrap();
    let found = rows(&store, &record).await;
    let found: Vec<_> = found
        .iter()
        .map(|row| (row.key.as_str(), row.fence))
        .collect();
    assert_eq!(found, [("a", 1), ("b", 2)]);
}

/// One whose answer was lost too.
///
/// steps:S6 steps:S7
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_one_changes_nothing() {
    let Some(schema) = Schema::new() else { return };
    let link = Link::to(schema.url()).await;
    let store = PostgresStore::builder(&link.url).schema(schema.name());
    let store = store.statement_timeout(Duration::from_secs(5));
    let store = store.notifications(false).open().await.unwrap();
    let record = running(&store, "operations/1").await;
    let first = recording(&record, vec![done("a", "1")]);
    one(&store, first.clone()).await.unwrap();
    let repeated = one(&store, first).await.unwrap();
    assert_eq!((repeated.change, repeated.revision), (Change::Nothing, 3));

    let outsider = schema.outsider().await;
    let lock = "BEGIN; SELECT FROM operation FOR UPDATE";
    outsider.batch_execute(lock).await.unwrap();
    let second = recording(&record, vec![done("b", "1")]);
    let writing = tokio::spawn({
        let (store, second) = (store.clone(), second.clone());
        async move { store.update(vec![second]).await }
    });
    let watcher = schema.outsider().await;
    until("it waits for the lock", async || {
        let waiting = "SELECT FROM pg_locks l JOIN pg_locks h ON h.transactionid = l.transactionid \
                       AND h.granted JOIN pg_stat_activity a ON a.pid = h.pid \
                       WHERE NOT l.granted AND a.query = $1";
        !watcher.query(waiting, &[&lock]).await.unwrap().is_empty()
    })
    .await;
    link.silence();
    outsider.batch_execute("COMMIT").await.unwrap();
    until("it is committed", async || {
        let steps = "SELECT FROM operation_step WHERE key = 'b'";
        !watcher.query(steps, &[]).await.unwrap().is_empty()
    })
    .await;
    let error = writing.await.unwrap().unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let repeated = one(&store, second).await.unwrap();
    assert_eq!((repeated.change, repeated.revision), (Change::Nothing, 4));
    one(&store, recording(&record, vec![done("c", "1")]))
        .await
        .unwrap();
    assert_eq!(keys(&store, &record).await, ["a", "b", "c"]);
}
