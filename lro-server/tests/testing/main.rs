//! The kit for tests of bodies with durable steps.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod children;
mod good_bodies;
mod histories;
mod history;
mod planted_mistakes;
mod replays;
mod sagas;
