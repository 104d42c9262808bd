use lro_core::{Command, ListQuery, OperationStore, StoreErrorKind, Update};
use lro_sqlite::SqliteStore;

use crate::fixture::*;

#[tokio::test]
async fn a_damaged_row_is_corrupt_and_stands_in_nobodys_way() {
    for damage in [
        "state = 9",
        "state = 3",
        "revision = revision, name = 'nonsense'",
        "uid = x'00'",
        "labels = x'ff'",
        "request = x'ff'",
        "metadata = x'0a'",
        "on_crash = 2",
        "attempt = -1",
        "retain_nanos = 1000000000",
        "request_id = 'x', request_fingerprint = x'00'",
        "result_kind = 5",
        "result = x'00'",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().await;
        start(&store, new("operations/bad")).await;
        start(&store, new("operations/good")).await;
        let sql = format!("UPDATE operation SET {damage} WHERE name = 'operations/bad'");
        assert_eq!(fixture.outsider().execute(&sql, ()).unwrap(), 1);

        let query = ListQuery::new(lro_core::ParentName::default(), 9);
        let error = store.list(query).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}: {error}");
        if !damage.contains("name") {
            let name = "operations/bad".parse().unwrap();
            let error = store.get(&name).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}: {error}");
            assert!(error.to_string().contains("operations/bad"), "{error}");
        }
        assert!(get(&store, "operations/good").await.is_some());
        drop(store);

        let store = fixture.open().await;
        let claimed = claim(&store, 9).await;
        let names: Vec<_> = claimed.operations.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["operations/good"], "{damage}");
        assert_eq!(claimed.next_in, Some(LEASE), "{damage}");
    }
}

#[tokio::test]
async fn a_row_damaged_while_it_waits_is_passed_over() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/bad")).await;
    start(&store, new("operations/good")).await;
    let sql = "UPDATE operation SET fence = fence, labels = x'ff' WHERE name = 'operations/bad'";
    fixture.outsider().execute(sql, ()).unwrap();
    let claimed = claim(&store, 9).await;
    assert_eq!(claimed.operations.len(), 1);
    assert_eq!(claimed.next_in, Some(LEASE));

    let updates = ["operations/bad", "operations/good"]
        .map(|name| Update::by_name(name.parse().unwrap(), Command::Cancel));
    let error = store.update(updates.into()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let good = get(&store, "operations/good").await.unwrap();
    assert_eq!(good.state, lro_core::OperationState::Cancelling);
}

#[tokio::test]
async fn damaged_pages_are_errors() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let operations = (0..200).map(|i| new(&format!("operations/{i}")));
    store.start(operations.collect()).await.unwrap();
    drop(store);
    let whole = std::fs::read(fixture.path()).unwrap();
    for page in 1..whole.len() / 4_096 {
        let mut bytes = whole.clone();
        bytes[page * 4_096..][..4_096].fill(0xa5);
        std::fs::write(fixture.path(), bytes).unwrap();
        // Whatever is noticed at whatever time: an error, not a panic.
        let Ok(store) = SqliteStore::open(fixture.path()).await else {
            continue;
        };
        let names = (0..200).map(|i| format!("operations/{i}").parse().unwrap());
        for name in names {
            if let Err(error) = store.get(&name).await {
                assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
            }
        }
        if let Err(error) = store.start(vec![new("operations/new")]).await {
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        }
    }
}
