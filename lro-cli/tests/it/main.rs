//! The command as its users meet it: against a scripted server, ours, and one in Python.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod arbitrary;
mod bulk;
#[cfg(unix)]
mod completing;
mod config;
mod connections;
mod editing;
mod exit_codes;
mod following;
mod hostile;
mod inspected;
mod live;
mod outputs;
mod python;
mod recorded_sessions;
mod sessions;
mod starting;
mod steps;
mod support;
#[cfg(unix)]
mod terminal;
#[cfg(feature = "tls")]
mod tls;
mod ui;
mod waiting;
mod watching;
