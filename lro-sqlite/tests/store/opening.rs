use std::path::Path;

use lro_core::store::{OperationStore as _, StoreError, StoreErrorKind};
use lro_sqlite::SqliteStore;
use rusqlite::Connection;

use crate::fixture::*;

#[track_caller]
fn check(error: Result<SqliteStore, StoreError>, kind: StoreErrorKind, words: &str) {
    let error = error.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
}

async fn check_unusable(path: impl AsRef<Path>, words: &str) {
    let opened = SqliteStore::open(path.as_ref()).await;
    check(opened, StoreErrorKind::Unusable, words);
}

#[tokio::test]
async fn one_at_a_time() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let clone = store.clone();
    check_unusable(fixture.path(), "open in this process already").await;
    drop(store);
    check_unusable(fixture.path(), "open in this process already").await;
    drop(clone);
    for _ in 0..20 {
        drop(fixture.open().await);
    }
}

/// report:W2
#[tokio::test]
async fn the_page_token_key_stays_with_the_file() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let key = store.page_token_key().await.unwrap();
    drop(store);
    let again = fixture.open().await.page_token_key().await.unwrap();
    assert_eq!(again, key);
    let other = Fixture::new().open().await.page_token_key().await.unwrap();
    assert_ne!(other, key);
    // One that is lost is not replaced without a word.
    let lost = fixture.outsider().execute("DELETE FROM secret", ());
    assert_eq!(lost.unwrap(), 1);
    let error = fixture.open().await.page_token_key().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(error.to_string().contains("page token key"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_the_same_store() {
    let fixture = Fixture::new();
    let _store = fixture.open().await;
    let link = fixture.path().with_file_name("link.db");
    std::os::unix::fs::symlink(fixture.path(), &link).unwrap();
    check_unusable(link, "open in this process already").await;
}

#[tokio::test]
async fn an_open_that_is_given_up_frees_the_file() {
    let fixture = Fixture::new();
    let mut open = Box::pin(SqliteStore::open(fixture.path()));
    tokio::select! {
        biased;
        _ = &mut open => {}
        () = std::future::ready(()) => {}
    }
    drop(open);
    // Its thread ends by itself; the lock is what shows it.
    while SqliteStore::open(fixture.path()).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let fixture = Fixture::new();
    drop(fixture.open().await);
    fixture
        .outsider()
        .pragma_update(None, "user_version", 9)
        .unwrap();
    check_unusable(fixture.path(), "schema version 9").await;
}

#[tokio::test]
async fn files_of_others_are_refused_and_left_as_they_are() {
    let fixture = Fixture::new();
    let table = |connection: &Connection| connection.execute_batch("CREATE TABLE t (x)");
    let owner = |connection: &Connection| connection.pragma_update(None, "application_id", 5);
    let version = |connection: &Connection| connection.pragma_update(None, "user_version", 1);
    for (name, make) in [
        (
            "table.db",
            &table as &dyn Fn(&Connection) -> rusqlite::Result<()>,
        ),
        ("owner.db", &owner),
        ("version.db", &version),
    ] {
        let path = fixture.path().with_file_name(name);
        make(&Connection::open(&path).unwrap()).unwrap();
        let before = std::fs::read(&path).unwrap();
        check_unusable(&path, "another program").await;
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name}");
    }
    let text = fixture.path().with_file_name("notes.txt");
    std::fs::write(
        &text,
        "not a database, but long enough to be one".repeat(100),
    )
    .unwrap();
    check_unusable(&text, "not an SQLite database").await;
}

#[tokio::test]
async fn an_empty_file_is_a_new_store() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path(), "").unwrap();
    start(&fixture.open().await, new("operations/1")).await;
}

#[tokio::test]
async fn paths_that_cannot_be() {
    let fixture = Fixture::new();
    let directory = fixture.path().with_file_name("missing");
    check_unusable(directory.join("operations.db"), "does not exist: create it").await;
    check_unusable(fixture.path().parent().unwrap(), "is a directory").await;
    check_unusable(":memory:", "MemoryStore").await;
    check_unusable("", "does not name a file").await;
    #[cfg(target_os = "linux")]
    check_unusable("/proc/operations.db", "must be writable").await;
}

#[cfg(unix)]
#[tokio::test]
async fn read_only_files_are_rejected() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    drop(fixture.open().await);
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&fixture.path(), 0o400);
    if std::fs::File::options()
        .write(true)
        .open(fixture.path())
        .is_ok()
    {
        // The superuser may write everything: there is nothing to see.
        return;
    }
    check_unusable(fixture.path(), "cannot be written").await;
    set(&fixture.path(), 0o600);
    let directory = fixture.path().parent().unwrap().to_owned();
    set(&directory, 0o500);
    std::fs::remove_file(directory.join("operations.db-lock")).unwrap_err();
    check_unusable(directory.join("other.db"), "must be writable").await;
    set(&directory, 0o700);
}
