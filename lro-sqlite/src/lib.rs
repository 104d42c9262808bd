#![doc = include_str!("../README.md")]
//!
//! # Guarantees
//!
//! * **Durable.** An acknowledged write survives a crash of the process and a loss of power: the
//!   store uses a write-ahead log with `synchronous=FULL` and checks both when it opens.
//!   [`Durability::Normal`] survives only a crash of the process.
//! * **Group commit.** One thread writes. It takes all queued calls, renewals and cancellations
//!   first, commits them together, and answers. There is no timer: the next group collects while
//!   the disk syncs.
//! * **No polling.** The writer keeps ready operations and leases in memory; a claim that finds
//!   nothing does not touch the file.
//! * **One process.** A lock on the database file excludes other processes through any path, so
//!   opening the store recovers it: it requeues the operations that an earlier process was running.
//! * **Reads beside writes.** [`get`](lro_core::store::OperationStore::get) and
//!   [`list`](lro_core::store::OperationStore::list) have connections of their own, and see
//!   everything that was acknowledged before they were called. `get` finds running and recently
//!   finished operations in memory.
//!
//! # Operation
//!
//! **Files.** Beside `operations.db` the store keeps `operations.db-wal` and `operations.db-shm`,
//! which belong to the database, `operations.db-lock`, which is empty, and `operations.db-reserve`,
//! which holds no data. Do not move, remove or replace the first three while the store is open: the
//! store notices within 0.1 s under load and 1 s when idle, logs an error, and answers every call
//! with [`Unusable`](lro_core::store::StoreErrorKind::Unusable). Put the file back and restart the
//! process.
//!
//! **File system.** It must be local: the write-ahead log does not work over a network. NFS, SMB
//! and AFS are refused; for overlay, FUSE and 9p the store logs a warning. In a container, put the
//! directory (not the single file) on a volume.
//!
//! **Other programs.** A `sqlite3` shell may read the database while the store is open. The store
//! does not see writes of other programs, because it keeps records in memory. In the process of the
//! store, open and close the file only through SQLite, because otherwise the operating system drops
//! SQLite's locks on it.
//!
//! **Backup.** Back up a running store with SQLite's own tools; a copy of `operations.db` alone lacks
//! the contents of the write-ahead log:
//!
//! ```sh
//! sqlite3 operations.db ".backup backup.db"      # or: VACUUM INTO 'backup.db'
//! ```
//!
//! **Restore.** Stop the process, remove `operations.db`, `-wal` and `-shm`, copy the backup to
//! `operations.db`, start the process. The store is then as it was at the backup: operations that
//! were started later are unknown (NOT_FOUND, and their request ids start new ones); operations that
//! finished or were deleted later are back as they were, and those that were pending or running then
//! run again, from the checkpoint that they had. Bodies whose effects must not happen twice must
//! check their earlier effects.
//!
//! **Integrity.** `sqlite3 operations.db "PRAGMA integrity_check"` prints `ok`, or the corrupt
//! parts; it reads the whole file. An operation whose row or page is corrupt fails alone: reads of
//! it are [`Corrupt`](lro_core::store::StoreErrorKind::Corrupt), updates
//! [`Refusal::Corrupt`](lro_core::store::Refusal::Corrupt), claims and purges skip it, and the log
//! names it. Restore a backup, or write a new file with `sqlite3 operations.db ".recover"`.
//!
//! **Disk space.** When the disk or [`max_size`](SqliteStoreBuilder::max_size) is full, starts fail
//! with [`Full`](lro_core::store::StoreErrorKind::Full) and other calls use the
//! [reserve](SqliteStoreBuilder::reserve_size). Workers keep results that cannot be written, and
//! write them when space is available: no lease of a live worker expires. Deleting and purging
//! operations frees space; then the store accepts starts again.
//!
//! **Upgrades.** The store migrates a file of an earlier version when it opens it. An earlier version
//! rejects a file of a newer one: keep a backup from before the upgrade to be able to return.
//!
//! # Limitations
//!
//! The store keeps only the last few thousand operations in memory
//! ([`MemoryStore`](lro_core::store::MemoryStore) keeps all, and nothing on disk) and does not serve
//! several processes.

mod builder;
mod call;
mod connection;
mod corrupt;
mod error;
mod hot;
mod list;
mod ownership;
mod queue;
mod reader;
mod recovery;
mod room;
mod row;
mod schedule;
mod schema;
mod statement;
mod steps;
mod store;
mod table;
mod threads;
mod timers;
mod transaction;
mod writer;

pub use builder::{Durability, SqliteStoreBuilder};
pub use store::SqliteStore;
