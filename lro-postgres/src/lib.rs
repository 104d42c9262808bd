#![doc = include_str!("../README.md")]
//!
//! ## The main types
//!
//! * [`PostgresStore`] — the store;
//! * [`PostgresStoreBuilder`] — schema, pool, timeouts, TLS and the rest.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod store;

mod claim;
mod group;
mod holes;
mod list;
mod notify;

mod error;
mod runtime;
mod sql;

pub use builder::PostgresStoreBuilder;
pub use store::PostgresStore;

#[doc(no_inline)]
pub use deadpool_postgres::Pool;
