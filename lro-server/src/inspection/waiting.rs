//! Why an operation makes no progress: a pure function over its record and the workers.

use lro_core::Timestamp;
use lro_core::inspection::Waiting;
use lro_core::inspection::waiting::Cause;
use lro_core::store::{OperationRecord, OperationState};

use super::InspectionService;
use super::record::time;
use crate::access::Sight;
use crate::engine::WorkerSnapshot;

/// The facts that decide besides the record.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// The workers of this process.
    pub(super) workers: Vec<WorkerSnapshot>,
    /// Whether other processes may have workers, too.
    pub(super) store_is_shared: bool,
    pub(super) now: Timestamp,
    /// A caller that is no operator learns nothing of the load, which others make.
    pub(super) sight: Sight,
}

impl InspectionService {
    /// The surroundings as they are now.
    pub(super) fn surroundings(&self, sight: Sight) -> Surroundings {
        let engine = self.operations.engine();
        Surroundings {
            workers: engine.workers().snapshots(),
            store_is_shared: engine.store().event_gap().is_some(),
            now: engine.clock().now(),
            sight,
        }
    }
}

/// Why the operation makes no progress; `None` if it runs or has ended.
pub(super) fn why_it_waits(record: &OperationRecord, around: &Surroundings) -> Option<Waiting> {
    match record.state {
        OperationState::Pending if record.ready_time > around.now => Some(not_yet(record)),
        OperationState::Pending => Some(ready(record, around)),
        OperationState::Running => lost(record, around),
        OperationState::Cancelling => lost(record, around).or_else(|| {
            let explanation = "it was asked to stop, and its body has not returned";
            Some(waiting(Cause::Stopping, explanation, None))
        }),
        _ => None,
    }
}

fn not_yet(record: &OperationRecord) -> Waiting {
    let has_end = record.ready_time != OperationRecord::NEVER_READY;
    let until = has_end.then_some(record.ready_time);
    if let Some(waiting) = steps_wait(record, until) {
        return waiting;
    }
    if record.attempt == 0 {
        return waiting(
            Cause::Scheduled,
            "its start is scheduled for this time",
            until,
        );
    }
    let (attempt, most) = (record.attempt, record.policy.max_attempts);
    let explanation = format!("it pauses after attempt {attempt} of {most}, which failed");
    waiting(Cause::RetryPause, explanation, until)
}

/// A body that waits for durable calls, or does not fit those that are recorded.
fn steps_wait(record: &OperationRecord, until: Option<Timestamp>) -> Option<Waiting> {
    let steps = record.steps.as_ref()?;
    if let Some(blocked) = &steps.blocked {
        let explanation = format!(
            "it is blocked until other code is deployed: {}",
            blocked.message
        );
        return Some(waiting(Cause::Blocked, explanation, until));
    }
    let explanation = match &*steps.waits {
        [] => return None,
        [one] => format!("its body waits for `{one}`"),
        [first, others @ ..] => format!("its body waits for `{first}` and {} others", others.len()),
    };
    Some(waiting(Cause::Suspended, explanation, until))
}

fn ready(record: &OperationRecord, around: &Surroundings) -> Waiting {
    let hosts = around.workers.iter();
    let hosts: Vec<_> = hosts
        .filter(|worker| worker.methods.contains_key(&*record.method))
        .collect();
    if hosts.is_empty() {
        return no_worker(record, around);
    }
    if around.sight == Sight::Caller {
        return queued();
    }
    let serving = |worker: &&&WorkerSnapshot| !worker.is_draining && !worker.is_stalled;
    let serving: Vec<_> = hosts.iter().filter(serving).collect();
    if serving.is_empty() {
        let explanation = if hosts.iter().any(|worker| worker.is_stalled) {
            "a body blocks the runtime of the workers that run its method"
        } else {
            "the workers that run its method are shutting down"
        };
        return waiting(Cause::WorkersBlocked, explanation, None);
    }
    if record.losses > 0 {
        let explanation = format!(
            "its worker was lost {} times in a row while it ran, so a worker starts it alone",
            record.losses
        );
        return waiting(Cause::Quarantine, explanation, None);
    }
    if serving.iter().all(|worker| worker.is_trying_alone) {
        let explanation =
            "the workers start nothing while an operation whose worker was lost runs alone";
        return waiting(Cause::Quarantine, explanation, None);
    }
    if serving
        .iter()
        .any(|worker| has_room(worker, &record.method))
    {
        return queued();
    }
    let slots: usize = serving.iter().map(|it| slots_of(it, &record.method)).sum();
    let explanation = format!("all {slots} slots for its method are taken");
    waiting(Cause::NoFreeSlot, explanation, None)
}

fn no_worker(record: &OperationRecord, around: &Surroundings) -> Waiting {
    let method = &record.method;
    let explanation = if around.store_is_shared {
        format!(
            "no worker of this process runs `{method}`, so it waits for a worker of another process"
        )
    } else {
        format!("no worker runs `{method}`: host its service in a Worker")
    };
    waiting(Cause::NoWorker, explanation, None)
}

fn queued() -> Waiting {
    let explanation = "it is ready, and waits for a worker to claim it";
    waiting(Cause::Queued, explanation, None)
}

/// An operation whose worker has not renewed its lease.
fn lost(record: &OperationRecord, around: &Surroundings) -> Option<Waiting> {
    let lease = record.lease.as_ref()?;
    if around.workers.iter().any(|it| it.id == lease.worker) {
        return None;
    }
    let until = Some(lease.expire_time);
    if lease.expire_time < around.now {
        let explanation = "its worker is lost: the lease has expired, and the next claim of a \
                           worker requeues it";
        return Some(waiting(Cause::WorkerLost, explanation, until));
    }
    // A worker renews its leases at a third of their duration. All workers of a store have about
    // the same.
    let duration = around.workers.iter().map(|it| it.lease_duration).max()?;
    let left = lease.expire_time.since(around.now);
    (left < duration / 2).then(|| {
        let explanation = "its worker has not renewed the lease in time: it seems to be lost, and \
                           other workers wait until the lease expires";
        waiting(Cause::WorkerLost, explanation, until)
    })
}

fn has_room(worker: &WorkerSnapshot, method: &str) -> bool {
    let own = worker.methods.get(method).copied().flatten();
    worker.slots.free > 0 && own.is_none_or(|own| own.free > 0)
}

fn slots_of(worker: &WorkerSnapshot, method: &str) -> usize {
    let own = worker.methods.get(method).copied().flatten();
    own.map_or(worker.slots.all, |own| own.all.min(worker.slots.all))
}

fn waiting(cause: Cause, explanation: impl Into<String>, until: Option<Timestamp>) -> Waiting {
    Waiting {
        cause: cause.into(),
        explanation: explanation.into(),
        until: until.map(time),
    }
}

#[cfg(test)]
mod tests;
