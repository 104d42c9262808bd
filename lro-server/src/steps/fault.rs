//! The errors of durable calls that the engine itself makes.

use std::time::Duration;

use lro_core::Reason;
use lro_core::pb::rpc;
use lro_core::store::{StepKey, StepKind, StepOutcome, StepRow};
use lro_core::type_name;
use tonic::Status;

/// Two calls of one name run side by side.
pub(super) fn ambiguous(key: &str) -> Status {
    let message = format!(
        "two durable calls named `{key}` run side by side, so that a later run could not tell them apart; \
         give each its own name, such as `format!(\"{key}/{{page}}\")`, or a scope, such as \
         `operation.scope(\"left\")`"
    );
    Reason::StepNameAmbiguous.status(message, [("step", key)])
}

/// A durable call inside the closure of a step.
pub(super) fn nested(key: &str) -> Status {
    let message = format!(
        "the durable call `{key}` was made inside the closure of a step; make it after that step, and group \
         names with `operation.scope(..)`"
    );
    Reason::StepNested.status(message, [("step", key)])
}

/// A new epoch begins, and a durable call is under way.
pub(super) fn under_way(key: &str) -> Status {
    let message = format!(
        "the durable call `{key}` is under way, and would be forgotten; await or drop it before \
         `checkpoint_and_forget`"
    );
    Reason::StepUnderWay.status(message, [("step", key)])
}

/// A durable call while a new epoch begins.
pub(super) fn epoch_ends(key: &str) -> Status {
    let message = format!(
        "the durable call `{key}` was made while `checkpoint_and_forget` was under way; await that first"
    );
    Reason::StepUnderWay.status(message, [("step", key)])
}

/// A step that runs at most once had begun when its run was lost.
pub(super) fn interrupted(key: &str) -> rpc::Status {
    let message = format!(
        "the step `{key}` runs at most once and was interrupted: it may or may not have had its effect"
    );
    Reason::StepInterrupted.operation_error(message, [("step", key)])
}

/// The run has ended, and a task that it left behind makes a durable call.
pub(super) fn run_ended() -> Status {
    let message = "the run of the operation has ended: its tasks make no durable calls any more";
    Reason::OperationInterrupted.status(message, [])
}

/// The code makes a new call, and has not reached one that is recorded.
pub(super) fn order_changed(new: &str, skipped: &str) -> Status {
    let message = format!(
        "the durable call `{new}` is new, but `{skipped}` was recorded before it could have been: the code has \
         changed under a running operation; deploy code that makes the recorded calls first, or ask \
         `operation.introduced(..)` before the new one"
    );
    Reason::StepOrderChanged.status(message, [("step", new), ("recorded", skipped)])
}

/// The fault of a call that is recorded as something else.
pub(super) fn changed(row: &StepRow, kind: StepKind, type_url: &str) -> Option<Status> {
    let key = row.key.as_str();
    if row.kind != kind {
        let (was, is) = (noun(row.kind), noun(kind));
        let message = format!(
            "the durable call `{key}` is a {is} now, but was recorded as a {was}; give the new call another name"
        );
        return Some(Reason::StepChanged.status(message, [("step", key)]));
    }
    let Some(StepOutcome::Response(response)) = &row.outcome else {
        return None;
    };
    if row.child.as_deref().is_some_and(|it| it.name.is_watch()) {
        // The other server's mistake, which no other code mends: the call returns an error.
        return None;
    }
    let recorded = &response.type_url;
    let is_same = type_url.is_empty() || type_name(recorded) == type_name(type_url);
    (!is_same).then(|| {
        let message = format!(
            "the step `{key}` returns a `{}` now, but a `{}` was recorded; give the new step another name",
            type_name(type_url),
            type_name(recorded),
        );
        Reason::StepChanged.status(message, [("step", key)])
    })
}

/// The recorded winner of a race is none of its calls.
pub(super) fn winner_changed(key: &str, winner: &str) -> Status {
    let message = format!(
        "the race `{key}` was won by `{winner}`, which is none of its calls now; give the new race another name"
    );
    Reason::StepChanged.status(message, [("step", key), ("recorded", winner)])
}

fn noun(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Step => "step",
        StepKind::Sleep => "sleep",
        StepKind::Promise => "promise",
        StepKind::First => "choice of the first",
        StepKind::Introduced => "question whether code was introduced",
        StepKind::Saga => "saga",
        StepKind::SagaStep => "step of a saga",
        StepKind::Undo => "part of undoing a saga",
        StepKind::Child => "child",
        StepKind::SagaChild => "child of a saga",
        _ => "call of another kind",
    }
}

/// A name of a saga's step or a scope that the undo of a saga uses.
pub(super) fn reserved(key: &str) -> Status {
    let message = format!(
        "the name `{key}` is that of a row with which a saga undoes; choose another one than `undo` and `undo/..`"
    );
    Reason::StepNameInvalid.status(message, [("step", key)])
}

/// A step of a saga is awaited elsewhere than in the block of the saga.
pub(super) fn outside_of_saga(key: &str) -> Status {
    let message = format!(
        "the step `{key}` of a saga is awaited outside of the block of its `saga.run(..)`, so that it would not be          undone"
    );
    Reason::HandlerMisbehaved.status(message, [("step", key)])
}

/// A saga that runs inside the block of another one, or for the second time.
pub(super) fn saga_nested(key: &str) -> Status {
    let message = format!(
        "the saga `{key}` runs inside the block of another one, or again; give the functions in a block the saga          itself, and make a new one by `operation.saga()` after a block has ended"
    );
    Reason::StepNested.status(message, [("step", key)])
}

/// A saga that has ended has a new step.
pub(super) fn saga_ended(saga: &str, step: &str) -> Status {
    let message = format!(
        "the step `{step}` is new, but its saga `{saga}` has ended: the code has changed under a running operation"
    );
    Reason::StepChanged.status(message, [("step", step), ("saga", saga)])
}

/// The block of a saga has panicked.
pub(super) fn panicked() -> rpc::Status {
    Reason::HandlerPanicked.operation_error("the handler failed unexpectedly", [])
}

/// A promise was not completed in time.
pub(crate) fn promise_timed_out(key: &StepKey) -> rpc::Status {
    let message = format!("the promise `{key}` was not completed in time");
    Reason::DeadlineExceeded.operation_error(message, [("step", key.as_str())])
}

/// A child has not ended in time.
pub(super) fn child_timed_out(key: &StepKey) -> rpc::Status {
    let message = format!("the child of the step `{key}` has not ended in time, and is cancelled");
    Reason::DeadlineExceeded.operation_error(message, [("step", key.as_str())])
}

/// The closure of a child starts a second operation.
pub(super) fn second_child(parent: &str) -> Status {
    let message = format!(
        "the closure of a child of `{parent}` starts a second operation; make a `child` of each operation that is \
         started"
    );
    Reason::HandlerMisbehaved.status(message, [])
}

/// The closure of a child has returned another operation than the one that it has started.
pub(super) fn other_child(key: &str, name: &str) -> Status {
    let message = format!(
        "the closure of the child `{key}` has returned the operation `{name}`, which is not the one that it has \
         started"
    );
    Reason::HandlerMisbehaved.status(message, [("step", key)])
}

/// The closure of a child has started none.
pub(super) fn no_child(key: &str) -> Status {
    let message = format!(
        "the closure of the child `{key}` has started no operation: call the rpc's method in the closure itself, \
         neither through a channel nor in another task"
    );
    Reason::HandlerMisbehaved.status(message, [("step", key)])
}

/// A child is started on another server.
pub(super) fn child_elsewhere(key: &str) -> Status {
    let message = format!(
        "the child `{key}` is started on other `Operations` than those of its parent; give those that the \
         worker runs"
    );
    Reason::HandlerMisbehaved.status(message, [("step", key)])
}

/// A recorded child is now started on another kind of server.
pub(super) fn server_changed(key: &str) -> Status {
    let message = format!(
        "the child `{key}` is now started on another server than the one where it was: here instead of elsewhere, or \
         the other way; give the new child another name"
    );
    Reason::StepChanged.status(message, [("step", key)])
}

/// The name of a remote is none that stored operations may have.
pub(super) fn invalid_remote(key: &str, name: &str) -> Status {
    let message = format!(
        "the child `{key}` is started on the remote {name:?}, which is not a valid name: give 1 to 63 lowercase \
         letters, digits and `-`"
    );
    Reason::HandlerMisbehaved.status(message, [("step", key)])
}

/// An attempt of a step has exceeded the step's timeout.
pub(super) fn attempt_timed_out(key: &StepKey, timeout: Duration) -> Status {
    let message = format!("an attempt of the step `{key}` took longer than {timeout:?}");
    Reason::DeadlineExceeded.status(message, [("step", key.as_str())])
}
