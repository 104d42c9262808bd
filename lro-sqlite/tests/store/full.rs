use lro_core::store::{Command, OperationStore, StoreErrorKind, Update};
use lro_sqlite::SqliteStore;

use crate::fixture::*;

#[tokio::test]
async fn a_full_disk_loses_nothing_and_passes() {
    let fixture = Fixture::new();
    let store = SqliteStore::builder(fixture.path())
        .clock(fixture.clock.clone())
        .max_size(256 << 10)
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
        update(&store, record.name.as_str(), Command::delete())
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
        .advance(lro_core::store::ExecutionPolicy::DEFAULT_RETAIN);
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

async fn open_limited(fixture: &Fixture) -> SqliteStore {
    let builder = SqliteStore::builder(fixture.path()).clock(fixture.clock.clone());
    builder.max_size(1 << 20).open().await.unwrap()
}

fn large(name: &str) -> lro_core::store::NewOperation {
    let mut operation = new(name);
    operation.request = payload("Request", 10_000);
    operation
}

/// Starts operations until there is no room; gives their names.
async fn fill(store: &SqliteStore) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let name = format!("operations/{}", names.len());
        match store.start(vec![large(&name)]).await {
            Ok(_) => names.push(name),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
                return names;
            }
        }
    }
}

fn respond(fence: u64, bytes: usize) -> Command {
    Command::Finish {
        fence,
        outcome: lro_core::store::OperationOutcome::Response(payload("Response", bytes)),
        metadata: None,
    }
}

/// report:E4
#[tokio::test]
async fn a_full_store_refuses_starts_and_serves_the_rest() {
    let fixture = Fixture::new();
    let store = open_limited(&fixture).await;
    assert!(store.accepts_starts());
    let names = fill(&store).await;
    assert!(!store.accepts_starts());
    let claimed = claim(&store, 20).await.operations;
    assert_eq!(claimed.len(), 20);
    // More than what is left of the limit for outcomes; what does not fit is kept for later.
    let mut refused = Vec::new();
    for record in &claimed {
        let finish = Update::by_name(record.name.clone(), respond(1, 10_000));
        match store.update(vec![finish]).await {
            Ok(answers) => assert!(answers[0].is_ok(), "{answers:?}"),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
                refused.push(record.name.clone());
            }
        }
    }
    assert!(!refused.is_empty() && refused.len() < 15, "{refused:?}");
    // There is room for what makes room.
    let pending = &names[names.len() - 35..];
    update(&store, &pending[0], Command::cancel())
        .await
        .unwrap();
    for name in pending {
        update(&store, name, Command::cancel()).await.unwrap();
        update(&store, name, Command::delete()).await.unwrap();
    }
    assert!(
        claimed
            .iter()
            .all(|it| !pending.contains(&it.name.as_str().to_owned()))
    );
    for name in &refused {
        update(&store, name.as_str(), respond(1, 10_000))
            .await
            .unwrap();
    }
    for number in 0..5 {
        start(&store, large(&format!("operations/later-{number}"))).await;
    }
    assert!(store.accepts_starts());
    fixture
        .clock
        .advance(lro_core::store::ExecutionPolicy::DEFAULT_RETAIN * 2);
    assert_eq!(store.purge(usize::MAX).await.unwrap(), 20);
    drop(store);
    fixture.check_integrity();
}

/// The call that finds the store full does not fail for it, and neither do those beside it.
///
/// report:E4
#[tokio::test]
async fn of_a_group_that_finds_no_room_only_starts_fail() {
    let fixture = Fixture::new();
    let store = open_limited(&fixture).await;
    let (gate, at_gate, pass) = Gate::new();
    start(&store, new("operations/running")).await;
    assert_eq!(claim(&store, 1).await.operations.len(), 1);
    start(&store, new("operations/deleted")).await;
    store.observe(gate);
    let mut operation = new("operations/gate");
    operation.method = GATE.to_owned();
    start(&store, operation).await;
    at_gate.await.unwrap();
    let mut big = new("operations/big");
    big.request = payload("Request", 2 << 20);
    let running = Update::by_name("operations/running".parse().unwrap(), succeed(1));
    let deleted = Update::by_name("operations/deleted".parse().unwrap(), Command::delete());
    let calls = async {
        tokio::join!(
            store.start(vec![big]),
            store.update(vec![running]),
            store.update(vec![deleted]),
            async {
                // All of them are queued by now.
                tokio::task::yield_now().await;
                pass.send(()).unwrap();
            }
        )
    };
    let (big, running, deleted, ()) = calls.await;
    assert_eq!(big.unwrap_err().kind(), StoreErrorKind::Full);
    running.unwrap().remove(0).unwrap();
    deleted.unwrap().remove(0).unwrap();
    // It was the operation that was too large.
    start(&store, new("operations/small")).await;
}

/// Makes the test that has it one on a small file system at this path.
#[cfg(target_os = "linux")]
const SMALL: &str = "LRO_SQLITE_TEST_SMALL";

/// report:E3 report:E4
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_leaves_room_for_what_matters() {
    const TEST: &str = "full::a_full_disk_leaves_room_for_what_matters";
    if let Some(directory) = std::env::var_os(SMALL) {
        fill_disk(std::path::Path::new(&directory)).await;
        println!("it went through");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let run = |script: &str| {
        let mut command = std::process::Command::new("unshare");
        let mount = "mount -t tmpfs -o size=24m tmpfs \"$1\"";
        command.args(["--mount", "sh", "-c", &format!("{mount} {script}"), "sh"]);
        command.arg(directory.path());
        command.arg(std::env::current_exe().unwrap());
        command.args([TEST, "--exact", "--nocapture"]);
        command.env(SMALL, directory.path()).output()
    };
    if !run("").is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED: a_full_disk_leaves_room_for_what_matters: mounting is not allowed here"
        );
        return;
    }
    let output = run("&& shift && exec \"$@\"").unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed = printed + &String::from_utf8_lossy(&output.stderr);
    let passed = output.status.success() && printed.contains("it went through");
    assert!(passed, "{printed}");
}

#[cfg(target_os = "linux")]
async fn fill_disk(directory: &std::path::Path) {
    let clock = std::sync::Arc::<ManualClock>::default();
    let open = async || {
        let builder = SqliteStore::builder(directory.join("operations.db"));
        let builder = builder.clock(clock.clone()).reserve_size(8 << 20);
        builder.open().await
    };
    let ballast = directory.join("ballast");
    let fill = || {
        use std::io::Write as _;
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&ballast)
            .unwrap();
        while file.write_all(&[1; 4_096]).is_ok() {}
    };
    let store = open().await.unwrap();
    for number in 0..60 {
        let mut operation = large(&format!("operations/{number}"));
        operation.claimed_by = (number < 40).then(|| (worker(), LEASE));
        start(&store, operation).await;
    }
    fill();
    // The first call that finds no room is one that there must be room for.
    update(&store, "operations/59", Command::delete())
        .await
        .unwrap();
    let mut number = 0;
    let error = loop {
        let started = store
            .start(vec![large(&format!("operations/more-{number}"))])
            .await;
        match started {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
        fill();
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    assert!(!store.accepts_starts());
    for number in 0..10 {
        update(&store, &format!("operations/{number}"), respond(1, 10_000))
            .await
            .unwrap();
    }
    update(&store, "operations/10", Command::cancel())
        .await
        .unwrap();
    update(&store, "operations/58", Command::delete())
        .await
        .unwrap();
    clock.advance(lro_core::store::ExecutionPolicy::DEFAULT_RETAIN * 2);
    assert_eq!(store.purge(5).await.unwrap(), 5);

    // A process that ends now can begin again: it takes back what was running.
    drop(store);
    fill();
    let store = open().await.unwrap();
    let retried = get(&store, "operations/39").await.unwrap();
    assert_eq!(retried.state, lro_core::store::OperationState::Pending);
    assert!(!store.accepts_starts());
    update(&store, "operations/57", Command::delete())
        .await
        .unwrap();

    std::fs::remove_file(&ballast).unwrap();
    start(&store, new("operations/later")).await;
    assert!(store.accepts_starts());
    assert!(
        get(&store, "operations/9")
            .await
            .is_some_and(|it| it.state.is_done())
    );
    drop(store);
    let connection = rusqlite::Connection::open(directory.join("operations.db")).unwrap();
    let check = connection.query_row("PRAGMA integrity_check", (), |row| row.get::<_, String>(0));
    assert_eq!(check.unwrap(), "ok");
}
