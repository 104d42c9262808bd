//! Sagas of a history.

use lro_core::pack;
use lro_core::store::{StepKind, StepOutcome};
use tonic::Status;

use super::History;
use crate::handler::error::to_plain_rpc_status;

/// The rows of a [saga](crate::steps::Saga). The keys are those that `lro steps` shows: `saga` for the saga, in a scope
/// `left/saga`, and `undo` or `left/undo` for the decision to undo it.
///
/// ```
/// use lro_server::testing::History;
/// use tonic::Status;
///
/// let history = History::of("operations/1")
///     .saga("saga")
///     .step("network", &"net-1".to_owned()).of_saga()
///     .undo("undo", &Status::failed_precondition("unhealthy"))
///     .undone("network");
/// # assert_eq!(history.len(), 4);
/// ```
impl History {
    /// A saga that is open: its first step has begun.
    #[must_use]
    #[track_caller]
    pub fn saga(self, key: &str) -> Self {
        self.unfinished(key, StepKind::Saga, |_| ()).side_by_side()
    }

    /// The step before this belongs to a saga.
    #[must_use]
    pub fn of_saga(self) -> Self {
        self.change_last(|last| {
            last.write.kind = match last.write.kind {
                StepKind::Child => StepKind::SagaChild,
                _ => StepKind::SagaStep,
            };
        })
    }

    /// The saga has ended, and its steps are kept.
    #[must_use]
    #[track_caller]
    pub fn saga_kept(self, key: &str) -> Self {
        let outcome = StepOutcome::Response(pack(&()));
        self.finished(key, StepKind::Saga, outcome).side_by_side()
    }

    /// The saga has ended with this error, and its steps are undone.
    #[must_use]
    #[track_caller]
    pub fn saga_undone(self, key: &str, error: &Status) -> Self {
        self.undoing(key, StepKind::Saga, error)
    }

    /// The decision to undo a saga because of this error.
    #[must_use]
    #[track_caller]
    pub fn undo(self, key: &str, error: &Status) -> Self {
        self.undoing(key, StepKind::Undo, error)
    }

    /// The step of this key is undone.
    #[must_use]
    #[track_caller]
    pub fn undone(self, step: &str) -> Self {
        let outcome = StepOutcome::Response(pack(&()));
        self.finished(&format!("undo/{step}"), StepKind::Undo, outcome)
            .side_by_side()
    }

    /// The step of this key could not be undone.
    #[must_use]
    #[track_caller]
    pub fn undo_failed(self, step: &str, error: &Status) -> Self {
        self.undoing(&format!("undo/{step}"), StepKind::Undo, error)
    }

    #[track_caller]
    fn undoing(self, key: &str, kind: StepKind, error: &Status) -> Self {
        let outcome = StepOutcome::Error(to_plain_rpc_status(error));
        self.finished(key, kind, outcome).side_by_side()
    }
}
