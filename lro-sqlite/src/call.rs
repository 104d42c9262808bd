//! Calls for the writer, before and after they were applied.

use lro_core::store::{
    Claim, Claimed, Command, NewOperation, Refusal, StartError, Started, StoreError, Update,
    Updated,
};
use tokio::sync::oneshot;

use crate::queue::Priority;
use crate::room::Need;

/// How many operations one commit purges at most, when it does nothing else: a few milliseconds.
pub(crate) const PURGE_MAX: usize = 128;

/// A call for the writer.
#[derive(Debug)]
pub(crate) enum Call {
    Start(Vec<NewOperation>, Reply<Vec<Result<Started, StartError>>>),
    Claim(Claim, Reply<Claimed>),
    Update(Vec<Update>, Reply<Vec<Result<Updated, Refusal>>>),
    Purge(Purge, Reply<usize>),
}

/// A removal of expired operations, which may take several commits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purge {
    /// How many may still be removed.
    pub(crate) limit: usize,
    /// How many were.
    pub(crate) removed: usize,
}

pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

impl Call {
    pub(crate) fn priority(&self) -> Priority {
        let is_urgent =
            |update: &Update| matches!(update.command, Command::Renew { .. } | Command::Cancel(_));
        match self {
            Self::Update(updates, _) if updates.iter().all(is_urgent) => Priority::Urgent,
            Self::Purge(..) => Priority::Background,
            _ => Priority::Normal,
        }
    }

    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Start(operations, _) => operations.len(),
            Self::Claim(claim, _) => claim.limit,
            Self::Update(updates, _) => updates.len(),
            Self::Purge(purge, _) => purge.limit.min(PURGE_MAX),
        }
    }

    pub(crate) fn need(&self) -> Need {
        match self {
            Self::Start(..) => Need::Start,
            Self::Claim(..) => Need::Progress,
            Self::Update(updates, _) => Need::of_updates(updates),
            Self::Purge(..) => Need::Upkeep,
        }
    }

    pub(crate) fn fail(self, error: StoreError) {
        // A caller that has left loses nothing by that.
        match self {
            Self::Start(_, reply) => drop(reply.send(Err(error))),
            Self::Claim(_, reply) => drop(reply.send(Err(error))),
            Self::Update(_, reply) => drop(reply.send(Err(error))),
            Self::Purge(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// A call that was applied, and what it is answered when its group is committed. It can be applied
/// again when the group is not, but for starts.
pub(crate) enum Applied {
    Start(
        Vec<Result<Started, StartError>>,
        Reply<Vec<Result<Started, StartError>>>,
    ),
    Claim(Claim, Claimed, Reply<Claimed>),
    Update(
        Vec<Update>,
        Vec<Result<Updated, Refusal>>,
        Reply<Vec<Result<Updated, Refusal>>>,
    ),
    Purge(Purge, Purged, Reply<usize>),
    /// The call failed without effect on the others.
    Failed(Call, StoreError),
    /// The call failed the group.
    Unfinished(Call),
}

/// The result of a purge within a group.
pub(crate) enum Purged {
    /// The purge is done, with this number of removals in all.
    Done(usize),
    /// There may be more to remove.
    More(Purge),
}

impl Applied {
    /// Answers the call; returns it if there is more to do.
    pub(crate) fn answer(self) -> Option<Call> {
        // A caller that has left loses nothing by that.
        match self {
            Self::Start(answer, reply) => drop(reply.send(Ok(answer))),
            Self::Claim(_, answer, reply) => drop(reply.send(Ok(answer))),
            Self::Update(_, answer, reply) => drop(reply.send(Ok(answer))),
            Self::Purge(_, Purged::Done(count), reply) => drop(reply.send(Ok(count))),
            Self::Purge(_, Purged::More(purge), reply) => return Some(Call::Purge(purge, reply)),
            Self::Failed(call, error) => call.fail(error),
            Self::Unfinished(call) => return Some(call),
        }
        None
    }

    /// The call as it was, to be applied again or to be failed.
    pub(crate) fn into_call(self) -> Option<Call> {
        Some(match self {
            Self::Start(_, reply) => Call::Start(Vec::new(), reply),
            Self::Claim(claim, _, reply) => Call::Claim(claim, reply),
            Self::Update(updates, _, reply) => Call::Update(updates, reply),
            Self::Purge(purge, _, reply) => Call::Purge(purge, reply),
            Self::Failed(call, error) => {
                call.fail(error);
                return None;
            }
            Self::Unfinished(call) => call,
        })
    }
}
