use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use lro_core::store::{
    Claim, Command, MemoryStore, NewOperation, StepKey, StepKind, StepWake, StepWrite, WorkerId,
};
use lro_core::{Reason, pack};
use uuid::Uuid;

use super::*;
use crate::engine::SlotCount;

const METHOD: &str = "/exporter.v1.Exporter/Export";
const LEASE: Duration = Duration::from_secs(30);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn id(id: u128) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(id))
}

/// An operation that was started at 100 s.
fn pending() -> OperationRecord {
    let name = "operations/1".parse().unwrap();
    let operation = NewOperation::new(Uuid::from_u128(1), name, METHOD, pack(&()));
    OperationRecord::new(operation, at(100))
}

fn after(commands: impl IntoIterator<Item = Command>) -> OperationRecord {
    let mut record = pending();
    for command in commands {
        record.apply(command, at(100)).unwrap();
    }
    record
}

fn claimed(by: u128) -> Command {
    Command::Claim {
        worker: id(by),
        lease_duration: LEASE,
    }
}

fn retry(fence: u64) -> Command {
    Command::Retry {
        fence,
        error: Reason::Internal.operation_error("busy", []),
        delay: Duration::from_secs(60),
        metadata: None,
    }
}

/// A worker with a slot for the method, one for all, and both free.
fn worker() -> WorkerSnapshot {
    let slots = SlotCount { all: 4, free: 2 };
    WorkerSnapshot {
        id: id(7),
        slots,
        methods: BTreeMap::from([(METHOD, Some(SlotCount { all: 2, free: 1 }))]),
        lease_duration: LEASE,
        is_draining: false,
        is_stalled: false,
        is_trying_alone: false,
    }
}

fn with(change: impl FnOnce(&mut WorkerSnapshot)) -> Vec<WorkerSnapshot> {
    let mut worker = worker();
    change(&mut worker);
    vec![worker]
}

fn around(workers: Vec<WorkerSnapshot>, now: i64) -> Surroundings {
    Surroundings {
        workers,
        store_is_shared: true,
        now: at(now),
        sight: Sight::Operator,
    }
}

#[test]
fn each_cause_by_record_and_workers() {
    let mut scheduled = pending();
    scheduled.ready_time = at(500);
    let mut suspect = pending();
    suspect.losses = 2;
    let full = |it: &mut WorkerSnapshot| it.slots.free = 0;
    let method_full = |it: &mut WorkerSnapshot| {
        it.methods
            .insert(METHOD, Some(SlotCount { all: 2, free: 0 }));
    };
    let no_limit = |it: &mut WorkerSnapshot| {
        it.methods.insert(METHOD, None);
    };
    let other = |it: &mut WorkerSnapshot| it.methods = BTreeMap::from([("/s/Other", None)]);
    let cases = [
        (scheduled, vec![worker()], 110, Cause::Scheduled, Some(500)),
        (
            after([claimed(7), retry(1)]),
            vec![worker()],
            110,
            Cause::RetryPause,
            Some(160),
        ),
        // The pause is over.
        (
            after([claimed(7), retry(1)]),
            vec![worker()],
            160,
            Cause::Queued,
            None,
        ),
        (pending(), vec![], 110, Cause::NoWorker, None),
        (pending(), with(other), 110, Cause::NoWorker, None),
        (pending(), with(full), 110, Cause::NoFreeSlot, None),
        (pending(), with(method_full), 110, Cause::NoFreeSlot, None),
        (pending(), vec![worker()], 110, Cause::Queued, None),
        (pending(), with(no_limit), 110, Cause::Queued, None),
        // One of two has room.
        (
            pending(),
            [with(full), vec![worker()]].concat(),
            110,
            Cause::Queued,
            None,
        ),
        (
            pending(),
            with(|it| it.is_draining = true),
            110,
            Cause::WorkersBlocked,
            None,
        ),
        (
            pending(),
            with(|it| it.is_stalled = true),
            110,
            Cause::WorkersBlocked,
            None,
        ),
        (suspect, vec![worker()], 110, Cause::Quarantine, None),
        (
            pending(),
            with(|it| it.is_trying_alone = true),
            110,
            Cause::Quarantine,
            None,
        ),
        // Renewed last at 100 s, it expires at 130 s; worker 8 is of another process.
        (
            after([claimed(8)]),
            vec![worker()],
            120,
            Cause::WorkerLost,
            Some(130),
        ),
        (
            after([claimed(8)]),
            vec![],
            131,
            Cause::WorkerLost,
            Some(130),
        ),
        (
            after([claimed(8), Command::cancel()]),
            vec![worker()],
            131,
            Cause::WorkerLost,
            Some(130),
        ),
        (
            after([claimed(7), Command::cancel()]),
            vec![worker()],
            120,
            Cause::Stopping,
            None,
        ),
    ];
    for (record, workers, now, cause, until) in cases {
        let around = around(workers, now);
        let found = why_it_waits(&record, &around).unwrap();
        assert_eq!(
            found.cause(),
            cause,
            "{found:?} of {record:?} in {around:?}"
        );
        assert_eq!(found.until, until.map(|it| time(at(it))), "{found:?}");
        assert!(!found.explanation.is_empty());
    }
}

#[test]
fn what_runs_or_has_ended_does_not_wait() {
    for (record, now) in [
        (after([claimed(7)]), 110),
        // This process knows its own worker, whatever the lease says.
        (after([claimed(7)]), 1_000),
        // Of another process, and renewed in time.
        (after([claimed(8)]), 110),
        (after([Command::cancel()]), 110),
    ] {
        let found = why_it_waits(&record, &around(vec![worker()], now));
        assert_eq!(found, None, "{record:?} at {now}");
    }
    // Nothing tells what is in time.
    assert_eq!(
        why_it_waits(&after([claimed(8)]), &around(vec![], 129)),
        None
    );
}

/// The load comes from operations of others.
#[test]
fn a_caller_that_is_no_operator_learns_nothing_of_the_load() {
    let full = with(|it| it.slots.free = 0);
    let trying = with(|it| it.is_trying_alone = true);
    let draining = with(|it| it.is_draining = true);
    let stalled = with(|it| it.is_stalled = true);
    let answers = [full, trying, draining, stalled, vec![worker()]].map(|workers| {
        let mut around = around(workers, 110);
        around.sight = Sight::Caller;
        why_it_waits(&pending(), &around)
    });
    assert_eq!(answers[0].as_ref().unwrap().cause(), Cause::Queued);
    assert!(answers.iter().all(|it| *it == answers[0]), "{answers:?}");
}

/// The record is one that a store makes, too.
#[tokio::test]
async fn a_claimed_operation_of_a_store_does_not_wait() {
    use lro_core::store::{OperationStore as _, Suspects};
    let store = MemoryStore::new();
    let name = "operations/1".parse().unwrap();
    let operation = NewOperation::new(Uuid::from_u128(1), name, METHOD, pack(&()));
    store.start(vec![operation]).await.unwrap();
    let claim = Claim {
        worker: id(7),
        methods: [(METHOD.to_owned(), 1)].into(),
        limit: 1,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: true,
    };
    let record = store.claim(claim).await.unwrap().operations.remove(0);
    let mut around = around(vec![worker()], 0);
    around.now = record.update_time;
    assert_eq!(why_it_waits(&record, &around), None);
}

#[test]
fn a_suspended_or_blocked_operation_says_what_it_waits_for() {
    let key: StepKey = "night".parse().unwrap();
    let sleep = StepWrite {
        wake: Some(StepWake::After(Duration::from_secs(60))),
        ..StepWrite::begun(key.clone(), StepKind::Sleep)
    };
    let suspend = Command::Suspend {
        fence: 1,
        waits: vec![key],
        ready_by: None,
        metadata: None,
    };
    let mut record = after([claimed(7)]);
    record
        .apply_with_steps(suspend, vec![sleep], &HashMap::new(), at(100))
        .unwrap();
    let waits = why_it_waits(&record, &around(vec![worker()], 110)).unwrap();
    assert_eq!(
        (waits.cause(), waits.until),
        (Cause::Suspended, Some(time(at(160))))
    );
    assert!(waits.explanation.contains("`night`"), "{waits:?}");

    let block = Command::Block {
        fence: 1,
        message: "`validate` is new".to_owned(),
        delay: Duration::from_secs(10),
        ready_by: None,
        metadata: None,
    };
    let mut record = after([claimed(7)]);
    record
        .apply_with_steps(block, Vec::new(), &HashMap::new(), at(100))
        .unwrap();
    let waits = why_it_waits(&record, &around(vec![worker()], 105)).unwrap();
    assert_eq!(
        (waits.cause(), waits.until),
        (Cause::Blocked, Some(time(at(110))))
    );
    assert!(waits.explanation.contains("`validate` is new"), "{waits:?}");
}
