//! Durable calls of bodies: steps and sleeps, whose results a later run of the body gets again.

mod body;
mod call;
mod context;
mod fault;
mod in_closure;
mod journal;
mod name;
mod read;
mod retry;
mod step;
mod wait;
mod write;

pub use name::StepName;
pub use retry::Retry;
pub use step::Step;

pub(crate) use body::{Polled, StepsBody};
pub(crate) use journal::Journal;
pub(crate) use read::read_rows;
pub(crate) use wait::StoreClock;
pub(crate) use write::refused;
