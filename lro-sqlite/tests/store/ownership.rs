//! One process owns a database, whatever path leads to it, and notices when it is taken away.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Output};
use std::time::{Duration, Instant};

use lro_core::store::{OperationStore as _, StoreError, StoreErrorKind};
use lro_sqlite::SqliteStore;

use crate::fixture::*;

/// Makes the test that has it another process: opens the store at this path, and says how it went.
const OPEN: &str = "LRO_SQLITE_TEST_OPEN";

const OPENED: &str = "the other process has opened it";

/// The output of another process that opens the store at that path.
struct Other(String);

impl Other {
    /// Runs the test that is called so in another process, by `command`.
    fn open(mut command: Program, test: &str, path: &Path) -> Self {
        let output = command
            .args([test, "--exact", "--nocapture"])
            .env(OPEN, path)
            .output()
            .unwrap();
        let Output { stdout, stderr, .. } = output;
        Self(String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
    }

    #[track_caller]
    fn is_refused(&self, words: &str) {
        assert!(!self.0.contains(OPENED), "{}", self.0);
        assert!(self.0.contains(words), "{}", self.0);
    }

    #[track_caller]
    fn has_opened(&self) {
        assert!(self.0.contains(OPENED), "{}", self.0);
    }
}

fn this_test() -> Program {
    Program::new(std::env::current_exe().unwrap())
}

/// Whether this is the other process: then it has done its part.
async fn is_other_process() -> bool {
    let Some(path) = std::env::var_os(OPEN) else {
        return false;
    };
    match SqliteStore::open(PathBuf::from(path)).await {
        Ok(_store) => println!("{OPENED}"),
        Err(error) => println!("{error}"),
    }
    true
}

/// report:F1
#[tokio::test]
async fn no_path_lets_another_process_in() {
    const TEST: &str = "ownership::no_path_lets_another_process_in";
    if is_other_process().await {
        return;
    }
    let fixture = Fixture::new();
    let (path, store) = (fixture.path(), fixture.open().await);
    start(&store, new("operations/1")).await;
    let open = |path: &Path| Other::open(this_test(), TEST, path);
    let elsewhere = path.with_file_name("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let (hard, soft) = (elsewhere.join("hard.db"), elsewhere.join("soft.db"));
    std::fs::hard_link(&path, &hard).unwrap();
    symlink(&hard, &soft).unwrap();
    open(&path).is_refused("in use by another process");
    for link in [&hard, &soft] {
        open(link).is_refused("through another path (a hard link");
        let error = SqliteStore::open(link).await.unwrap_err();
        assert!(error.to_string().contains("in this process"), "{error}");
    }
    // SQLite has opened and closed descriptors of its own, here and there.
    drop(fixture.outsider());
    open(&hard).is_refused("through another path");
    start(&store, new("operations/2")).await;

    // The file has another name now, and its old one is free.
    let moved = elsewhere.join("moved.db");
    std::fs::rename(&path, &moved).unwrap();
    open(&moved).is_refused("through another path");
    open(&path).is_refused("in use by another process");
    std::fs::rename(&moved, &path).unwrap();
    drop(store);
    open(&hard).has_opened();
}

/// report:F1
#[tokio::test]
async fn a_bind_mount_lets_no_process_in() {
    const TEST: &str = "ownership::a_bind_mount_lets_no_process_in";
    if is_other_process().await {
        return;
    }
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/1")).await;
    let mounted = fixture.path().with_file_name("mounted.db");
    File::create(&mounted).unwrap();
    // The mount ends with its namespace, which ends with the process.
    let mut command = Program::new("unshare");
    let script = "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command.args([fixture.path(), mounted.clone()]);
    let mut mount = Program::new("unshare");
    mount.args(["--mount", "sh", "-c", "mount --bind \"$1\" \"$2\"", "sh"]);
    mount.args([fixture.path(), mounted.clone()]);
    let may_mount = mount.output().is_ok_and(|output| output.status.success());
    if !may_mount {
        eprintln!("SKIPPED: a_bind_mount_lets_no_process_in: mounting is not allowed here");
        return;
    }
    command.arg(std::env::current_exe().unwrap());
    Other::open(command, TEST, &mounted).is_refused("through another path");
    drop(store);
}

/// An earlier version of this crate locks a file beside the database, and looks for no other lock.
///
/// report:F1
#[tokio::test]
async fn earlier_versions_are_kept_out_and_keep_out() {
    let fixture = Fixture::new();
    let lock = fixture.path().with_file_name("operations.db-lock");
    let store = fixture.open().await;
    let earlier = File::options().write(true).open(&lock).unwrap();
    assert!(
        earlier.try_lock().is_err(),
        "an earlier version would open it"
    );
    drop(store);
    earlier.try_lock().unwrap();
    let error = SqliteStore::open(fixture.path()).await.unwrap_err();
    assert!(error.to_string().contains("by another process"), "{error}");
    drop(earlier);
    fixture.open().await;
}

/// An open that is refused closes nothing that SQLite has a lock through.
///
/// report:F1
#[tokio::test]
async fn a_refused_open_leaves_the_locks_of_the_open_store_alone() {
    const TEST: &str = "ownership::a_refused_open_leaves_the_locks_of_the_open_store_alone";
    if let Some(path) = std::env::var_os(OPEN) {
        // As a shell does at its end: the last one to close removes the write-ahead log.
        let shell = rusqlite::Connection::open(path).unwrap();
        let all = "SELECT count(*) FROM operation";
        let count: i64 = shell.query_row(all, (), |row| row.get(0)).unwrap();
        println!("{OPENED}: {count}");
        return;
    }
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/1")).await;
    let hard = fixture.path().with_file_name("hard.db");
    std::fs::hard_link(fixture.path(), &hard).unwrap();
    for path in [fixture.path(), hard] {
        SqliteStore::open(path).await.unwrap_err();
    }
    Other::open(this_test(), TEST, &fixture.path()).has_opened();
    let log = fixture.path().with_file_name("operations.db-wal");
    assert!(log.exists(), "the shell took itself for the last one");
    start(&store, new("operations/2")).await;
    drop(store);
    assert_eq!(list(&fixture.open().await).await.len(), 2);
    fixture.check_integrity();
}

async fn until_unusable(store: &SqliteStore, is_read: bool) -> (StoreError, usize) {
    let began = Instant::now();
    let mut acknowledged = 0;
    loop {
        let answer = if is_read {
            store.get(&"operations/0".parse().unwrap()).await.map(drop)
        } else {
            let operation = new(&format!("operations/later-{acknowledged}"));
            store.start(vec![operation]).await.map(drop)
        };
        match answer {
            Err(error) => return (error, acknowledged),
            Ok(()) => acknowledged += 1,
        }
        assert!(began.elapsed() < Duration::from_secs(60), "not noticed");
        tokio::task::yield_now().await;
    }
}

/// report:F2
#[tokio::test]
async fn a_file_that_is_taken_away_makes_the_store_unusable() {
    type Take = fn(&Path);
    let moved: Take = |path| std::fs::rename(path, path.with_extension("moved")).unwrap();
    let removed: Take = |path| std::fs::remove_file(path).unwrap();
    let replaced: Take = |path| {
        let copy = path.with_extension("copy");
        std::fs::copy(path, &copy).unwrap();
        std::fs::rename(copy, path).unwrap();
    };
    for (take, suffix, words) in [
        (moved, "", "was moved or removed"),
        (removed, "", "was moved or removed"),
        (replaced, "", "was replaced"),
        (removed, "-wal", "was moved or removed"),
        (replaced, "-wal", "was replaced"),
        (removed, "-shm", "was moved or removed"),
    ] {
        for is_read in [false, true] {
            let fixture = Fixture::new();
            let store = fixture.open().await;
            start(&store, new("operations/0")).await;
            assert!(get(&store, "operations/0").await.is_some());
            take(&PathBuf::from(format!(
                "{}{suffix}",
                fixture.path().display()
            )));
            let (error, _) = until_unusable(&store, is_read).await;
            assert_eq!(error.kind(), StoreErrorKind::Unusable, "{error}");
            assert!(error.to_string().contains(words), "{error}");
            // From now on for every call.
            let start = store.start(vec![new("operations/1")]).await.unwrap_err();
            assert_eq!(start.kind(), StoreErrorKind::Unusable, "{start}");
            for name in ["operations/0", "operations/absent"] {
                let error = store.get(&name.parse().unwrap()).await.unwrap_err();
                assert_eq!(error.kind(), StoreErrorKind::Unusable, "{error}");
            }
            store.purge(1).await.unwrap_err();
        }
    }
}

/// A process that is killed later leaves the write-ahead log under the old name, where no process
/// looks for it.
///
/// report:F2
#[tokio::test]
async fn a_file_that_was_moved_holds_all_that_was_acknowledged() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/0")).await;
    let moved = fixture.path().with_file_name("moved.db");
    std::fs::rename(fixture.path(), &moved).unwrap();
    let (_, acknowledged) = until_unusable(&store, false).await;
    // As it is on the disk while the process lives.
    let copy = fixture.path().with_file_name("copy.db");
    std::fs::copy(&moved, &copy).unwrap();
    let copy = SqliteStore::open(copy).await.unwrap();
    assert_eq!(list(&copy).await.len(), 1 + acknowledged);
    drop(store);
    assert_eq!(
        list(&SqliteStore::open(moved).await.unwrap()).await.len(),
        1 + acknowledged
    );
}
