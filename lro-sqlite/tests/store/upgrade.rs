//! guarantee:R18: a file of an older version of the store.

use lro_core::store::{Command, OperationRecord};
use rusqlite::Connection;

use crate::fixture::*;

const FIRST_VERSION: &str = include_str!("../../src/migrations/1_operation.sql");

/// The same operations in a file of version 1, in the place of the one there is.
fn age(fixture: &Fixture) {
    let old = fixture.path().with_file_name("old.db");
    let connection = Connection::open(&old).unwrap();
    connection.execute_batch(FIRST_VERSION).unwrap();
    connection
        .pragma_update(None, "application_id", 0x4c52_4f53)
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    let path = fixture.path();
    connection
        .execute("ATTACH ?1 AS new", [path.to_str().unwrap()])
        .unwrap();
    for table in ["operation", "large_request"] {
        let columns: String = connection
            .query_row(
                "SELECT group_concat(name) FROM pragma_table_info(?1)",
                [table],
                |row| row.get(0),
            )
            .unwrap();
        let copy = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}");
        connection.execute(&copy, ()).unwrap();
    }
    drop(connection);
    for suffix in ["-wal", "-shm"] {
        // Mostly not there any more: the store has closed them.
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    std::fs::rename(old, path).unwrap();
}

fn schema(fixture: &Fixture) -> (i32, Vec<String>) {
    let connection = fixture.outsider();
    let version = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let sql = "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY type, name";
    let mut statement = connection.prepare(sql).unwrap();
    let parts = statement.query_map((), |row| row.get(0)).unwrap();
    (version, parts.map(Result::unwrap).collect())
}

/// Operations in every state, with small and large requests.
async fn fill(fixture: &Fixture) -> Vec<OperationRecord> {
    let store = fixture.open().await;
    for number in 0..300 {
        let mut operation = new(&format!("operations/{number}"));
        if number % 7 == 0 {
            operation.request = payload("request", 100_000);
        }
        start(&store, operation).await;
        fixture.clock.advance(std::time::Duration::from_millis(3));
    }
    for (number, record) in claim(&store, 200).await.operations.into_iter().enumerate() {
        let command = match number % 4 {
            0 => succeed(1),
            1 => Command::Cancel,
            2 => Command::Delete,
            _ => continue,
        };
        update(&store, record.name.as_str(), command).await.unwrap();
    }
    // What runs is taken back when the file is opened again.
    drop(store);
    let store = fixture.open().await;
    let all = list(&store).await;
    assert_eq!(all.len(), 250, "what is hidden is not listed");
    drop(store);
    all
}

#[tokio::test]
async fn a_file_of_the_first_version_becomes_a_new_one_with_all_that_is_in_it() {
    let fixture = Fixture::new();
    let all = fill(&fixture).await;
    let fresh = schema(&fixture);
    age(&fixture);
    assert_eq!(schema(&fixture).0, 1);
    assert_ne!(schema(&fixture).1, fresh.1);
    let store = fixture.open().await;
    assert_eq!(list(&store).await, all);
    let started = start(&store, new("operations/later")).await;
    assert_eq!(list(&store).await[0], started);
    drop(store);
    assert_eq!(schema(&fixture), fresh);
    fixture.check_integrity();
}
