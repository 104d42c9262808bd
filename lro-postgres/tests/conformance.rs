//! The contract of all stores, kept by this one.

mod support;

use lro_core::store::MemoryStore;
use lro_testing::store::Fixture;
use support::Schema;

lro_testing::store_conformance!(async |clock| {
    let Some(schema) = Schema::new() else {
        // Where there is no PostgreSQL, which was said: the case is one of another store.
        return Fixture::new(MemoryStore::with_clock(clock));
    };
    // Cases are short, and need no notifications. A server of the tests' own has no pooler before
    // it; with DATABASE_URL the suite also passes through PgBouncer.
    let is_direct = std::env::var_os("DATABASE_URL").is_none();
    let store = schema.store().clock(clock).notifications(false);
    let store = store.prepared_statements(is_direct);
    let store = store.open().await.expect("a new store");
    Fixture::new(store).keeping(schema)
});
