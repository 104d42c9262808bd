//! Steps: the rows that a store keeps of the durable calls of an operation's body.
//!
//! A body records the result of a call as a [`StepRow`], so that a later run of the body gets the
//! result without making the call again. The holder of an operation sends [`StepWrite`]s with its
//! [updates](super::Update::steps); a [suspended](super::Command::Suspend) operation waits for rows
//! without a worker.

mod applied;
mod key;
mod query;
mod row;
mod stored;
mod summary;
mod write;

pub use applied::AppliedSteps;
pub use key::{InvalidStepKey, StepKey};
pub use query::StepQuery;
pub use row::{StepKind, StepOutcome, StepRow};
pub use summary::{Blocked, StepLimit, StepSummary};
pub use write::{StepWake, StepWrite};
