use lro_core::store::{Command, OperationOutcome};

use crate::model::{Act, Verdict, digest};

/// The command as the specification knows it.
pub(super) fn act(command: &Command) -> Act {
    let metadata = |any: &Option<prost_types::Any>| any.as_ref().map(digest);
    match command {
        Command::Claim { .. } => Act::Claim,
        Command::Renew {
            fence,
            metadata: it,
            ..
        } => Act::Renew(*fence, metadata(it)),
        Command::Checkpoint {
            fence,
            checkpoint,
            metadata: it,
            ..
        } => Act::Checkpoint(*fence, digest(checkpoint), metadata(it)),
        Command::Finish {
            fence,
            outcome,
            metadata: it,
        } => {
            let verdict = match outcome {
                OperationOutcome::Response(any) => Verdict::Response(digest(any)),
                OperationOutcome::Error(status) => Verdict::Error(status.code),
                OperationOutcome::Cancelled => Verdict::Error(1),
            };
            Act::Finish(*fence, verdict, metadata(it))
        }
        Command::Retry {
            fence,
            error,
            metadata: it,
            ..
        } => Act::Retry(*fence, error.code, metadata(it)),
        Command::Release {
            fence,
            metadata: it,
        } => Act::Release(*fence, metadata(it)),
        Command::Record {
            fence,
            metadata: it,
        } => Act::Record(*fence, metadata(it)),
        Command::Suspend {
            fence,
            metadata: it,
            ..
        } => Act::Suspend(*fence, metadata(it)),
        // For callers a blocked operation is as one that waits.
        Command::Block {
            fence,
            metadata: it,
            ..
        } => Act::Suspend(*fence, metadata(it)),
        Command::CheckpointAndForget {
            fence,
            metadata: it,
            ..
        } => Act::Record(*fence, metadata(it)),
        Command::Complete { .. } | Command::EndChild { .. } => Act::Complete,
        Command::StartChild { fence } => Act::Record(*fence, None),
        // An operator lets it run again; callers see no difference.
        Command::ForgetSteps { .. } | Command::Unblock => Act::Complete,
        Command::Expire => Act::Expire,
        Command::ExpireShared => Act::ExpireShared,
        Command::Cancel(_) => Act::Cancel,
        Command::Delete(_) => Act::Delete,
    }
}
