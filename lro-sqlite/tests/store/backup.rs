//! Backup, restore and integrity check, by the commands of the guide.

use std::path::Path;

use crate::fixture::*;

/// The SQL of the guide's commands `sqlite3 operations.db ".."`.
fn sql_of_the_guide() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/what-can-go-wrong.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let commands = guide
        .lines()
        .filter_map(|line| line.strip_prefix("sqlite3 operations.db \""));
    let sql = commands.map(|command| command.strip_suffix('"').unwrap().to_owned());
    sql.collect()
}

#[tokio::test]
async fn the_guides_backup_restores_the_operations_of_its_time() {
    let [backup, check] = &sql_of_the_guide()[..] else {
        panic!("the guide has two commands");
    };
    let fixture = Fixture::new();
    let copy = fixture.path().with_file_name("backup.db");
    let backup = backup.replace("backup.db", copy.to_str().unwrap());
    let store = fixture.open().await;
    start(&store, new("operations/before")).await;
    fixture.outsider().execute_batch(&backup).unwrap();
    start(&store, new("operations/after")).await;
    drop(store);

    for suffix in ["", "-wal", "-shm"] {
        let file = fixture
            .path()
            .with_file_name(format!("operations.db{suffix}"));
        if file.exists() {
            std::fs::remove_file(file).unwrap();
        }
    }
    std::fs::rename(copy, fixture.path()).unwrap();
    let restored = fixture.open().await;
    assert!(get(&restored, "operations/before").await.is_some());
    assert!(get(&restored, "operations/after").await.is_none());
    let verdict = fixture
        .outsider()
        .query_row(check, (), |row| row.get::<_, String>(0));
    assert_eq!(verdict.unwrap(), "ok");
}
