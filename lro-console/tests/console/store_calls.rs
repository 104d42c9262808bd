//! Calls of the store, with 20,000 operations in it: each page and each tab costs a bounded number.

use std::time::{Duration, Instant};

use http::StatusCode;
use lro_core::OperationName;

use crate::fixture::{Fixture, get};
use crate::live::Stream;

const OPERATIONS: usize = 20_000;
const ROWS: usize = 50;

/// A store with many pending operations, and as many that run as a page has rows, the newest.
async fn crowded() -> (Fixture, Vec<OperationName>) {
    let fixture = Fixture::new();
    for _ in 0..OPERATIONS / 1_000 {
        let batch = (0..1_000).map(|_| fixture.new_operation()).collect();
        let started = fixture.store.inner.start(batch).await.unwrap();
        assert!(started.iter().all(Result::is_ok));
    }
    let mut rows = Vec::new();
    for _ in 0..ROWS {
        rows.push(fixture.running(0, 1_000).await);
    }
    (fixture, rows)
}

/// console:10
#[tokio::test]
async fn pages_cost_one_call() {
    let (fixture, rows) = crowded().await;
    let console = fixture.console();
    fixture.store.asked();
    let page = get(&console, "/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("data-count=\"\">10,000+</span>"),
        "{}",
        page.text
    );
    assert_eq!(fixture.store.asked(), [0, 1, 1]);
    for path in ["/?rows=1000", "/?state=running", "/?state=pending"] {
        get(&console, path).await;
        assert_eq!(
            fixture.store.asked(),
            [0, 1, 0],
            "{path}: the counts are shared"
        );
    }
    get(&console, &format!("/operation?name={}", rows[0])).await;
    assert_eq!(fixture.store.asked(), [1, 0, 0]);
    get(&console, "/overview").await;
    assert_eq!(fixture.store.asked(), [0, 0, 1]);
    get(&console, "/settings").await;
    assert_eq!(fixture.store.asked(), [0, 0, 0]);
}

/// console:10
#[tokio::test]
async fn changes_cost_what_is_on_the_screen() {
    const CHANGES: usize = 10_000;
    let (fixture, rows) = crowded().await;
    let console = fixture.console();
    // Without a tab, changes cost no call.
    fixture.store.asked();
    fixture.progress(&rows[0], 1, 1_000).await;
    assert_eq!(fixture.store.asked(), [0, 0, 0]);

    let chosen: Vec<String> = rows.iter().map(|name| format!(" {name}")).collect();
    let form: Vec<_> = chosen.iter().map(|it| ("operation", &**it)).collect();
    let mut stream = Stream::open(&console, &form).await;
    let shown = stream.rows().await;
    assert_eq!(shown.as_array().unwrap().len(), ROWS);
    assert_eq!(fixture.store.asked(), [ROWS, 0, 0]);

    let begun = Instant::now();
    let changing = async {
        for change in 0..CHANGES {
            let done = (change / ROWS + 2) as u32;
            fixture.progress(&rows[change % ROWS], done, 1_000).await;
            // So that the tab has its turn on this one thread.
            tokio::task::yield_now().await;
        }
    };
    let mut sent = 0;
    tokio::pin!(changing);
    loop {
        tokio::select! {
            biased;
            () = &mut changing => break,
            rows = stream.rows() => sent += rows.as_array().unwrap().len(),
        }
    }
    // The last change arrives.
    let last = (CHANGES / ROWS + 1) as u64;
    let note = format!("{} %, {last} of 1000 tables", last / 10);
    loop {
        let rows = stream.rows().await;
        let rows = rows.as_array().unwrap();
        sent += rows.len();
        if rows.iter().any(|row| row["note"] == *note) {
            break;
        }
    }
    let [gets, lists, _] = fixture.store.asked();
    // At most 4 flushes a second, each of the rows on the screen.
    let flushes = begun.elapsed().as_millis() / Duration::from_millis(250).as_millis() + 2;
    let most = usize::try_from(flushes).unwrap() * ROWS;
    assert!(
        gets <= most && sent <= most,
        "{gets} calls, {sent} rows, {most} allowed"
    );
    assert_eq!(lists, 0);
    println!(
        "{CHANGES} changes: {gets} calls, {sent} rows in {:?}",
        begun.elapsed()
    );
}
