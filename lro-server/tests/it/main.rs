//! Everything that `lro-server` promises a service author, through its public API.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod access;
#[cfg(all(feature = "serve", feature = "jwt"))]
mod arbitrary;
mod backlog;
mod blocked_runtime;
mod cancellation;
mod changes;
mod created_resources;
mod deletion;
mod drain;
mod extreme_durations;
mod front_ends_and_workers;
#[cfg(feature = "inspection")]
mod inspection;
mod lease_renewal;
mod lifecycle;
mod limits;
mod list_policies;
mod lists;
mod outages;
#[cfg(feature = "serve")]
mod serve;
mod steps;
mod store_failures;
mod support;
#[cfg(feature = "otel")]
mod telemetry;
mod typed;
mod waiting;
mod worker_slots;
