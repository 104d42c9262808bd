//! A command for one operation, and its answer.

use uuid::Uuid;

use super::command::{Change, Command};
use super::record::OperationRecord;
use super::state::OperationState;
use super::steps::{StepKey, StepWrite};
#[cfg(doc)]
use super::{OperationStore, Refusal};
use crate::clock::Timestamp;
use crate::name::OperationName;

/// One command for one operation.
///
/// ```
/// use lro_core::store::{Command, Update};
///
/// let cancel = Update::by_name("operations/1".parse()?, Command::cancel());
/// assert_eq!(cancel.uid, None);
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Update {
    /// Which.
    pub name: OperationName,
    /// Its identity, where the writer knows it: an operation of the same name with another uid is
    /// another one ([`Refusal::NotFound`]). Holders give it with every command, since names may be
    /// used again after a deletion, and fences begin again with them.
    pub uid: Option<Uuid>,
    /// What.
    pub command: Command,
    /// Steps of the body, which are recorded in the same commit as the effect of the command; for
    /// commands of a holder only. If a step or the command is rejected, neither has an effect.
    pub steps: Vec<StepWrite>,
}

impl Update {
    /// A caller's command: to whatever operation has the name.
    pub fn by_name(name: OperationName, command: Command) -> Self {
        Self {
            name,
            uid: None,
            command,
            steps: Vec::new(),
        }
    }

    /// A holder's command: to this operation, and no other that may have its name by then.
    pub fn by_uid(name: OperationName, uid: Uuid, command: Command) -> Self {
        Self {
            name,
            uid: Some(uid),
            command,
            steps: Vec::new(),
        }
    }

    /// The update with steps to be recorded in the same commit.
    #[must_use]
    pub fn with_steps(self, steps: Vec<StepWrite>) -> Self {
        Self { steps, ..self }
    }

    /// Whether only a store that [keeps steps](OperationStore::keeps_steps) can apply it.
    pub fn uses_steps(&self) -> bool {
        !self.steps.is_empty() || self.command.is_for_steps()
    }

    /// The keys of the rows that a store reads before it
    /// [applies](OperationRecord::apply_with_steps) the update; a key may repeat.
    pub fn step_keys(&self) -> impl Iterator<Item = &StepKey> {
        let own = match &self.command {
            Command::Suspend { waits, .. } => waits.as_slice(),
            Command::Complete { key, .. } | Command::EndChild { key, .. } => {
                std::slice::from_ref(key)
            }
            Command::ForgetSteps { keys } => keys.as_slice(),
            _ => &[],
        };
        self.steps.iter().map(|step| &step.key).chain(own)
    }

    /// Whether a store also reads all rows that [callers gave](super::StepRow::is_given) before it
    /// [applies](OperationRecord::apply_with_steps) the update. There are some only if the summary's
    /// [`early`](super::StepSummary::early) or `rows` is not 0.
    pub fn needs_given_steps(&self) -> bool {
        matches!(self.command, Command::CheckpointAndForget { .. })
    }
}

/// The state of an operation after an update.
///
/// ```
/// use lro_core::store::{Change, OperationState, Updated};
///
/// /// Whether the worker must stop the body.
/// fn must_stop(updated: &Updated) -> bool {
///     updated.state == OperationState::Cancelling
/// }
///
/// let updated = Updated {
///     change: Change::Lease,
///     state: OperationState::Running,
///     revision: 3,
///     update_time: lro_core::Timestamp::EPOCH,
/// };
/// assert!(!must_stop(&updated));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The effect of the command.
    pub change: Change,
    /// The present state. Its holder must stop if it is [`OperationState::Cancelling`].
    pub state: OperationState,
    /// The record's revision.
    pub revision: u64,
    /// When the record was last written, by the store's clock: the time of this commit, unless the
    /// change is [`Change::Nothing`] or [`Change::Lease`]. Steps that this update has finished have
    /// it as their end time.
    pub update_time: Timestamp,
}

impl Updated {
    /// The answer to an update that had this effect and left this record.
    pub fn new(change: Change, record: &OperationRecord) -> Self {
        Self {
            change,
            state: record.state,
            revision: record.revision,
            update_time: record.update_time,
        }
    }
}
