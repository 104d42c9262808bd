//! The embedded, durable store of long-running operations: SQLite with group commit.
//!
//! ```
//! use lro_core::store::OperationStore;
//! use lro_sqlite::SqliteStore;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("operations.db");
//! let store = SqliteStore::open(path).await?;
//! assert_eq!(store.get(&"operations/1".parse()?).await?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! # Guarantees
//!
//! * **Durable.** What was acknowledged survives the crash of the process and the loss of power:
//!   write-ahead log, `synchronous=FULL`, both checked at start. [`Durability::Normal`] gives up
//!   the second half.
//! * **Group commit.** One thread writes. It takes whatever calls are queued, renewals and
//!   cancellations first, commits them together, and answers. No timer: while the disk syncs, the
//!   next group gathers.
//! * **No polling.** What is ready to be claimed, and which leases are over, the writer knows in
//!   memory; a claim that finds nothing does not touch the file.
//! * **One process.** A lock on a file beside the database keeps others out, so that opening it is
//!   a recovery: what an earlier process was running is given back at once.
//! * **Reads beside writes.** [`get`](lro_core::store::OperationStore::get) and
//!   [`list`](lro_core::store::OperationStore::list) have their own connections, and see everything that
//!   was acknowledged before they were called. What runs here, or has ended here just now, `get`
//!   finds in memory.
//!
//! # Files
//!
//! Beside `operations.db` stand `operations.db-wal` and `operations.db-shm`, which belong to it (a
//! copy of the database without its `-wal` is not a backup: use `VACUUM INTO` or SQLite's backup),
//! and `operations.db-lock`, which is empty and may stay. The file system must be local: SQLite's
//! write-ahead log does not work over a network.
//!
//! # What it does not do
//!
//! It keeps only the last few thousand operations in memory (all of them, and nothing else, that is
//! [`MemoryStore`](lro_core::store::MemoryStore)) and does not serve several processes.

mod builder;
mod connection;
mod error;
mod file_lock;
mod hot;
mod list;
mod queue;
mod reader;
mod recovery;
mod row;
mod schedule;
mod schema;
mod statement;
mod store;
mod table;
mod threads;
mod transaction;
mod writer;

pub use builder::{Durability, SqliteStoreBuilder};
pub use store::SqliteStore;
