use lro_core::store::{Command, OperationStore, StoreErrorKind};
use lro_sqlite::SqliteStore;

use crate::fixture::*;

#[tokio::test]
async fn a_full_disk_loses_nothing_and_passes() {
    let fixture = Fixture::new();
    let store = SqliteStore::builder(fixture.path())
        .clock(fixture.clock.clone())
        .size_max(256 << 10)
        .open()
        .await
        .unwrap();
    let large = |name: &str| {
        let mut operation = new(name);
        operation.request = payload("Request", 10_000);
        operation
    };
    let mut started = Vec::new();
    let error = loop {
        let name = format!("operations/{}", started.len());
        match store.start(vec![large(&name)]).await {
            Ok(mut answers) => started.push(answers.remove(0).unwrap().record),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    assert!(
        error.is_retryable() && started.len() > 10,
        "{}",
        started.len()
    );
    for record in &started {
        assert_eq!(
            get(&store, record.name.as_str()).await.as_ref(),
            Some(record)
        );
    }
    let claimed = claim(&store, usize::MAX).await.operations;
    assert_eq!(claimed.len(), started.len(), "nothing more, nothing less");

    for record in &started[..5] {
        update(&store, record.name.as_str(), succeed(1))
            .await
            .unwrap();
        update(&store, record.name.as_str(), Command::Delete)
            .await
            .unwrap();
    }
    for i in 0..4 {
        start(&store, large(&format!("operations/later-{i}"))).await;
    }
    drop(store);
    fixture.check_integrity();
}

#[tokio::test]
async fn purging_gives_room_back_to_the_file_system() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let operations = (0..30).map(|i| {
        let mut operation = new(&format!("operations/{i}"));
        operation.request = payload("Request", 1 << 20);
        operation.claimed_by = Some((worker(), LEASE));
        operation
    });
    for operation in operations {
        let record = start(&store, operation).await;
        update(&store, record.name.as_str(), succeed(1))
            .await
            .unwrap();
    }
    let pages = || -> i64 {
        fixture
            .outsider()
            .query_row("PRAGMA page_count", (), |row| row.get(0))
            .unwrap()
    };
    let before = pages();
    fixture
        .clock
        .advance(lro_core::store::ExecutionPolicy::RETAIN);
    assert_eq!(store.purge(20).await.unwrap(), 20);
    assert_eq!(store.purge(20).await.unwrap(), 10);
    let commits = store.commits();
    assert_eq!(store.purge(20).await.unwrap(), 0);
    assert_eq!(
        store.commits(),
        commits,
        "nothing to purge, nothing to commit"
    );
    let freed = before - pages();
    assert!((512..530).contains(&freed), "{freed} of {before} pages");
    drop(store);
    fixture.check_integrity();
}
