//! `MemoryStore` passes the suite that every store has to pass.

use lro_core::store::MemoryStore;

lro_testing::store_conformance!(async |clock| MemoryStore::with_clock(clock));
