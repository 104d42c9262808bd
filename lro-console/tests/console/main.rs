//! The console over operations in every state.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod browser;
mod fixture;
mod isolation;
mod lists;
mod live;
mod overview;
mod pages;
#[cfg(feature = "remote")]
mod remote;
mod resubmit;
mod safety;
mod shared;
mod sign_in;
mod steps;
mod store_calls;
