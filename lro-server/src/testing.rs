//! Tests of bodies with durable steps: what happens to running operations when the code changes, and whether a body
//! survives the death of its process at any place.
//!
//! * [`replay`] runs a body on a [`History`] of what earlier code has recorded, for example one that was exported from
//!   production.
//! * [`crash_everywhere`] runs the whole life of a body, killed at every place.
//!
//! Both run the engine that production runs, with a store in memory and a clock that skips sleeps, and answer to the same
//! seed in the same way. Enable the feature `testing` in the dev-dependencies of a service.

mod children;
mod clock;
mod crash;
mod draw;
mod failure;
mod history;
pub(crate) mod hooks;
mod link;
mod outcome;
mod probe;
mod process;
mod replay;
mod wakers;
mod whole_life;

pub use crash::{CrashEverywhere, crash_everywhere};
pub use failure::{Failure, Report};
pub use history::{History, InvalidHistory};
pub use replay::{Replay, replay};
