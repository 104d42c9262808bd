//! The contract of all stores, kept by this one.

use lro_sqlite::{Durability, SqliteStore};
use lro_testing::store::Fixture;

lro_testing::store_conformance!(async |clock| {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // Answers do not depend on how often the disk syncs.
    let store = SqliteStore::builder(directory.path().join("operations.db"))
        .clock(clock)
        .durability(Durability::Normal)
        .open()
        .await
        .expect("a new store");
    Fixture::new(store).keeping(directory)
});
