use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{
    Command, ListQuery, OperationStore, Refusal, StoreErrorKind, StoreEvent, Update,
};
use lro_sqlite::SqliteStore;
use lro_testing::EventLog;

use crate::fixture::*;

#[tokio::test]
async fn a_corrupt_row_is_reported_and_blocks_no_other() {
    for damage in [
        "state = 9",
        "state = 3",
        "revision = revision, name = 'nonsense'",
        "uid = x'00'",
        "labels = x'ff'",
        "request = x'ff'",
        "metadata = x'0a'",
        "on_crash = 3",
        "attempt = -1",
        "retain_nanos = 1000000000",
        "request_id = 'x', request_fingerprint = x'00'",
        "result_kind = 5",
        "result = x'00'",
        "history = x'ff'",
        "history = x'0a00'",
        "parent_step = x'ff'",
        "parent_step = x''",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().await;
        start(&store, new("operations/good")).await;
        // The newer one is the first of a list.
        start(&store, new("operations/bad")).await;
        let sql = format!("UPDATE operation SET {damage} WHERE name = 'operations/bad'");
        assert_eq!(fixture.outsider().execute(&sql, ()).unwrap(), 1);

        // A page may begin and end with it.
        for limit in [1, 9] {
            let query = ListQuery::new(lro_core::ParentName::default(), limit);
            match store.list(query).await {
                Ok(page) => {
                    let names: Vec<_> = page.records.iter().map(|r| r.name.as_str()).collect();
                    // Lists do not read all columns.
                    let wanted: &[&str] = if !damage.starts_with("request") {
                        assert_eq!(page.next, None, "{damage}");
                        &["operations/good"]
                    } else if limit == 1 {
                        &["operations/bad"]
                    } else {
                        &["operations/bad", "operations/good"]
                    };
                    assert_eq!(names, wanted, "{damage}");
                }
                // No list could continue behind this one.
                Err(error) => {
                    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}: {error}");
                    assert_eq!(damage, "uid = x'00'", "{error}");
                }
            }
        }
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
async fn a_row_that_becomes_corrupt_while_pending_is_skipped() {
    for sql in [
        "UPDATE operation SET fence = fence, labels = x'ff'",
        "UPDATE operation SET ready_time = 7, labels = x'ff'",
        "UPDATE operation SET method = 'another', labels = x'ff'",
        "UPDATE operation SET uid = x'00'",
        "DELETE FROM operation",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().await;
        start(&store, new("operations/bad")).await;
        start(&store, new("operations/good")).await;
        let sql = format!("{sql} WHERE name = 'operations/bad'");
        assert_eq!(fixture.outsider().execute(&sql, ()).unwrap(), 1);
        let claimed = claim(&store, 9).await;
        let names: Vec<_> = claimed.operations.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["operations/good"], "{sql}");
        assert_eq!(claimed.next_in, Some(LEASE), "{sql}");

        let updates = ["operations/bad", "operations/good"]
            .map(|name| Update::by_name(name.parse().unwrap(), Command::cancel()));
        let answers = store.update(updates.into()).await.unwrap();
        match &answers[0] {
            Err(Refusal::Corrupt(why)) => assert!(why.contains("operations/bad"), "{sql}: {why}"),
            answer => {
                assert_eq!(*answer, Err(Refusal::NotFound), "{sql}");
                assert!(sql.starts_with("DELETE"), "{sql}");
            }
        }
        assert!(answers[1].is_ok(), "{sql}: {:?}", answers[1]);
        let good = get(&store, "operations/good").await.unwrap();
        assert_eq!(good.state, lro_core::store::OperationState::Cancelling);
    }
}

#[tokio::test]
async fn a_corrupt_row_takes_one_place_of_one_claim() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/bad")).await;
    fixture.clock.advance(Duration::from_micros(1));
    start(&store, new("operations/good")).await;
    let sql = "DELETE FROM operation WHERE name = 'operations/bad'";
    fixture.outsider().execute(sql, ()).unwrap();
    let first = claim(&store, 1).await;
    assert_eq!(
        (first.operations.len(), first.next_in),
        (0, Some(Duration::ZERO))
    );
    assert_eq!(claim(&store, 1).await.operations.len(), 1);
}

#[tokio::test]
async fn a_row_moved_by_another_program_is_claimed_at_its_new_place() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for name in [
        "operations/later",
        "operations/elsewhere",
        "operations/good",
    ] {
        start(&store, new(name)).await;
    }
    let later = format!(
        "UPDATE operation SET ready_time = {} WHERE name = 'operations/later'",
        (LEASE / 2).as_micros()
    );
    let elsewhere =
        format!("UPDATE operation SET method = '{GATE}' WHERE name = 'operations/elsewhere'");
    for sql in [later, elsewhere] {
        assert_eq!(fixture.outsider().execute(&sql, ()).unwrap(), 1);
    }
    let claimed = claim(&store, 9).await;
    let names: Vec<_> = claimed.operations.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["operations/good"]);
    assert_eq!(claimed.next_in, Some(LEASE / 2));

    fixture.clock.advance(LEASE / 2);
    let claimed = claim(&store, 9).await;
    let names: Vec<_> = claimed.operations.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["operations/later"]);
    assert_eq!(claimed.next_in, Some(LEASE / 2));
    let claimed = claim_of(&store, GATE, 9).await;
    assert_eq!(claimed.operations[0].name.as_str(), "operations/elsewhere");
    assert_eq!(claim_of(&store, GATE, 9).await.operations, []);
}

#[tokio::test]
async fn a_row_released_by_another_program_is_claimed_when_the_lease_ends() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/given-back")).await;
    assert_eq!(claim(&store, 1).await.operations.len(), 1);
    let sql = "UPDATE operation SET state = 0, lease_worker = NULL, lease_expire_time = NULL";
    assert_eq!(fixture.outsider().execute(sql, ()).unwrap(), 1);
    fixture.clock.advance(LEASE + Duration::from_micros(1));
    assert_eq!(claim(&store, 1).await.operations.len(), 1);
}

#[tokio::test]
async fn a_pending_row_removed_by_a_purge_blocks_no_other() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/bad")).await;
    start(&store, new("operations/good")).await;
    let sql = "UPDATE operation SET expire_time = 0 WHERE name = 'operations/bad'";
    fixture.outsider().execute(sql, ()).unwrap();
    assert_eq!(store.purge(9).await.unwrap(), 1);
    let claimed = claim(&store, 9).await;
    assert_eq!(claimed.operations.len(), 1);
    assert_eq!(claimed.next_in, Some(LEASE));
}

#[tokio::test]
async fn corrupt_pages_are_errors() {
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
        let names = (0..200).map(|i| format!("operations/{i}").parse().unwrap());
        let cancel = |name| Update::by_name(name, Command::cancel());
        if let Err(error) = store.update(names.map(cancel).collect()).await {
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        }
        if let Err(error) = store.start(vec![new("operations/new")]).await {
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        }
    }
}

/// The leaf pages of the table, not those of its indexes.
fn pages_of_rows(file: &[u8]) -> Vec<usize> {
    let holds = |page: &[u8], text: &str| {
        page.windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    let pages = file.chunks(4_096).enumerate();
    let of_rows = pages.filter(|(_, page)| page[0] == 0x0a && holds(page, "test.request"));
    of_rows.map(|(number, _)| number).collect()
}

/// report:P5
#[tokio::test]
async fn operations_on_a_corrupt_page_fail_alone() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let operations = (0..200).map(|number| {
        let mut operation = new(&format!("operations/{number:03}"));
        // A third is running, and is taken back when the store is opened.
        operation.claimed_by = (number % 3 == 0).then(|| (worker(), LEASE));
        operation
    });
    store.start(operations.collect()).await.unwrap();
    for number in (0..200).step_by(6) {
        let name = format!("operations/{number:03}");
        update(&store, &name, succeed(1)).await.unwrap();
    }
    drop(store);
    let mut file = std::fs::read(fixture.path()).unwrap();
    let pages = pages_of_rows(&file);
    // The number of its cells.
    file[pages[pages.len() / 2] * 4_096 + 3..][..2].fill(0xff);
    std::fs::write(fixture.path(), file).unwrap();

    let (store, log) = (fixture.open().await, Arc::new(EventLog::new()));
    store.observe(log.clone());
    let query = ListQuery::new(lro_core::ParentName::default(), 300);
    let listed = store.list(query).await.unwrap().records.len();
    assert!((100..200).contains(&listed), "{listed}");
    let count = 200 - listed;
    let left_out = StoreEvent::Corrupt {
        call: "list",
        count,
    };
    assert_eq!(log.events(), [left_out]);
    let claimed = claim(&store, 300).await.operations;
    let names: Vec<_> = claimed.iter().map(|it| it.name.as_str()).collect();
    assert!((100..166).contains(&names.len()), "{}", names.len());
    let renewals = (0..200).map(|number| {
        let name = format!("operations/{number:03}").parse().unwrap();
        Update::by_name(name, Command::cancel())
    });
    let answers = store.update(renewals.collect()).await.unwrap();
    let corrupt = |answer: &&Result<_, Refusal>| matches!(answer, Err(Refusal::Corrupt(_)));
    let count = answers.iter().filter(corrupt).count();
    assert!((1..100).contains(&count), "{count}");
    // Their leases expire; operations on the page do not stop that.
    fixture.clock.advance(2 * LEASE);
    let expired = claim(&store, 300).await;
    // The others were cancelled. A write beside the page may need it, to move rows there.
    for record in expired.operations {
        let number: usize = record.name.operation_id().parse().unwrap();
        let answer = &answers[number];
        assert!(matches!(answer, Err(Refusal::Corrupt(_))), "{answer:?}");
    }
    start(&store, new("operations/later")).await;
    fixture
        .clock
        .advance(lro_core::store::ExecutionPolicy::DEFAULT_RETAIN * 2);
    let purged = store.purge(usize::MAX).await.unwrap();
    assert!((100..200).contains(&purged), "{purged}");
    assert_eq!(store.purge(usize::MAX).await.unwrap(), 0);
    for call in ["claim", "purge"] {
        let is_of = |event: &StoreEvent| matches!(event, StoreEvent::Corrupt { call: it, .. } if *it == call);
        assert!(log.events().iter().any(is_of), "{call}");
    }
}
