//! Everything that `lro-client` guarantees a caller: against scripted servers, the real one, and one in
//! Python.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod answers;
mod arbitrary;
#[cfg(feature = "blocking")]
mod blocking;
mod broken_connections;
mod calls;
mod cancellation;
mod children;
mod cut_waits;
mod lists;
mod live_server;
mod poller_set;
mod python_server;
mod retry_info;
mod support;
mod time_limit;
mod wait_errors;
mod waiting;
mod watching;
