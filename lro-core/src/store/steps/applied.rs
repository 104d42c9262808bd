//! The effect of a command on an operation and its steps.

use super::{StepKey, StepRow};
use crate::store::{Change, Child};

/// The effect of a command on an operation and its steps: what a store writes beside the record, in
/// the same commit.
///
/// ```
/// use std::collections::HashMap;
/// use lro_core::Timestamp;
/// use lro_core::store::{AppliedSteps, Change, Command, NewOperation, OperationRecord};
///
/// # let operation = NewOperation::new(uuid::Uuid::nil(), "operations/1".parse()?, "/s.S/M", lro_core::pack(&()));
/// let mut record = OperationRecord::new(operation, Timestamp::EPOCH);
/// let (steps, stored) = (Vec::new(), HashMap::new());
/// let applied = record.apply_with_steps(Command::cancel(), steps, &stored, Timestamp::EPOCH)?;
/// assert_eq!(applied, AppliedSteps::from(Change::Record));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A store writes nothing of it when the change is [`Change::Nothing`], and removes all rows of the
/// operation when it is [`Change::Removed`].
#[derive(Clone, Debug, PartialEq)]
pub struct AppliedSteps {
    /// The change of the record.
    pub change: Change,
    /// Rows of the epoch in which the command has left the record: new ones, and changed ones of the
    /// same key.
    pub written: Vec<StepRow>,
    /// The keys of rows that the store removes from that epoch.
    pub removed: Vec<StepKey>,
    /// Whether rows of earlier epochs are left: the store removes up to
    /// [`StepSummary::SWEPT`](super::StepSummary::SWEPT) of them.
    pub sweeps: bool,
    /// Children that the operation [cancels](Child::is_cancelled), or whose steps have finished otherwise than by
    /// their ends, or were forgotten: the store applies [`cancel_of_child`](crate::store::OperationRecord::cancel_of_child) to each that
    /// there is.
    pub cancels: Vec<Child>,
}

impl AppliedSteps {
    pub(in crate::store) fn new(change: Change, written: Vec<StepRow>) -> Self {
        Self {
            written,
            ..change.into()
        }
    }
}

/// A change that concerns no step.
impl From<Change> for AppliedSteps {
    fn from(change: Change) -> Self {
        Self {
            change,
            written: Vec::new(),
            removed: Vec::new(),
            sweeps: false,
            cancels: Vec::new(),
        }
    }
}
