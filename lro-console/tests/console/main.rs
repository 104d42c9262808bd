//! The console over operations in every state.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod browser;
mod fixture;
mod live;
mod pages;
mod safety;
mod shared;
