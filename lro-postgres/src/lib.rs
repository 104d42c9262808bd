//! The store of long-running operations for many nodes: PostgreSQL.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use lro_core::store::OperationStore;
//! use lro_postgres::PostgresStore;
//!
//! let store = PostgresStore::connect("postgresql://app@localhost/app").await?;
//! assert_eq!(store.get(&"operations/1".parse()?).await?, None);
//! # Ok(()) }
//! ```
//!
//! Any number of processes connect to one schema of one database; some serve rpcs, some run bodies,
//! some do both. None of them leads.
//!
//! # Guarantees
//!
//! * **Durable.** What was acknowledged is committed, as durably as PostgreSQL's own
//!   `synchronous_commit` says, which this store leaves as it is.
//! * **Few transactions.** Calls of one process gather while those before them are under way; a
//!   group is one transaction of one or two round trips. No timer.
//! * **The database's clock.** It alone decides when an operation is ready and when a lease is over.
//! * **No leader, no cron.** Every claim turns back a bounded number of leases that are over.
//! * **Notifications are hints.** After its commits a process tells the others, if there are any,
//!   outside of its transactions, with pauses of up to 20 ms when there is much to tell. Whoever cannot
//!   hear them polls ([`event_gap`](lro_core::store::OperationStore::event_gap)): one cheap statement a
//!   second. Where they are heard and one is lost, that is made up for within five seconds.
//! * **Poolers.** Through PgBouncer in transaction mode everything works but LISTEN. That is noticed
//!   and said in one line; no statement is prepared, and nothing set for a session. A
//!   [`notifications_url`](PostgresStoreBuilder::notifications_url) past it hears all the same.
//!
//! # Running it
//!
//! * **Connections.** A process has at most [`pool_size`](PostgresStoreBuilder::pool_size) + 1, which is
//!   9 unless set: PostgreSQL's default of 100 is enough for ten processes. Beyond that lower it, raise
//!   `max_connections`, or put PgBouncer in transaction mode before it.
//! * **TLS.** Without `sslmode=require` in the URL, connections are not encrypted, even where the server
//!   offers it; with it, its certificate is verified.
//! * **Rights.** Who opens the store first needs CREATE on the database, or a schema of his own, and who
//!   migrates it has to own its tables. For everything else USAGE of the schema and SELECT, INSERT, UPDATE
//!   and DELETE on its tables are enough.
//! * **Upgrading.** Start the new version beside the old one: it migrates the schema, and processes of the
//!   old version that run go on. One that is started after that is refused; the way back is a backup.
//! * **Crashes.** What a process ran is claimed by another when the lease is over.
//! * **Failover.** After a crash of the primary, what was acknowledged and not replicated is lost: with
//!   asynchronous replication, PostgreSQL's default, the operations and results of the last moments. An
//!   operation whose end is lost runs again when its lease expires. With `synchronous_standby_names` and
//!   `synchronous_commit = on`, nothing that was acknowledged is lost. A switchover in order loses
//!   nothing either way.
//! * **Switchover.** Where the URL names several servers, or connections may outlive a switchover, add
//!   `target_session_attrs=read-write` to it: a new connection then leads to a server that takes
//!   writes, or fails. A server that turns out to be read-only has its connections closed, and new
//!   ones are made; PgBouncer in transaction mode is made to close its own.
//! * **Maintenance.** With `default_transaction_read_only = on` starts, claims and ends fail as
//!   UNAVAILABLE, and reads are served.
//! * **Corruption.** An operation on a corrupt page fails by itself, and is logged; claims go around
//!   it, and try it again every ten minutes. Lists that come upon it, and purges, fail until it is
//!   repaired.
//! * **Backlog.** `SELECT method, count(*) FROM lro.operation WHERE state = 0 GROUP BY 1`.
//!
//! # The schema
//!
//! It is made and migrated by whichever process comes first, under a lock; a process that finds a
//! newer one than it knows refuses to work. A table that is in use is migrated without holding up
//! those who use it. PostgreSQL 13 or later (an older one is refused; tested with 15), with the encoding
//! UTF8 and PL/pgSQL, which is always there.
//!
//! # Lists
//!
//! There are indexes for a parent, for methods and states below it, for labels, and for create times
//! in each of them; whichever restriction of a filter has one leads to the page, and what else the
//! filter says is looked at where its rows are. Of restrictions without an index (an attempt, an
//! error, metadata) a page looks at a bounded number of operations.
//!
//! # The main types
//!
//! * [`PostgresStore`] — the store;
//! * [`PostgresStoreBuilder`] — schema, pool, timeouts, TLS and the rest.
//!
//! # Features
//!
//! | feature | what |
//! | --- | --- |
//! | `tls` (default) | TLS by rustls |
//!
//! # What it does not do
//!
//! It does not partition, replicate or back up: that is PostgreSQL's business. One process that keeps
//! its operations in a file of its own is better off with `lro-sqlite`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
mod builder;
mod call;
mod claims;
mod database;
mod ends;
mod error;
mod events;
mod held;
mod hints;
mod lane;
mod list;
mod outbox;
#[cfg(test)]
mod plans;
mod presence;
mod purge;
mod reads;
mod row;
mod runtime;
mod schema;
mod secret;
mod starts;
mod statement;
mod store;
mod text;
mod tls;
mod updates;

pub use builder::PostgresStoreBuilder;
pub use store::PostgresStore;

#[doc(no_inline)]
pub use deadpool_postgres::Pool;
