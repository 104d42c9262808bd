use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lro_core::store::{
    Change, Command, OnCrash, OperationRecord, OperationResult, OperationState, Refusal,
    StoreEvent, StoreObserver, Update,
};
use uuid::Uuid;

use crate::store::build::*;
use crate::store::trial::Trial;

const MICRO: Duration = Duration::from_micros(1);

pub(crate) async fn a_renewal_counts_from_the_clock_of_the_store(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(secs(29));
    let updated = trial.apply(&mut record, renew(1, None)).await.unwrap();
    assert_eq!((updated.change, updated.revision), (Change::Lease, 1 + 1));
    let lease = record.lease.clone().unwrap();
    assert_eq!(lease.expire_time, trial.now().saturating_add(LEASE));
    assert_eq!(lease.worker, worker(1));
}

pub(crate) async fn a_renewal_may_bring_metadata(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(secs(1));
    let half = renew(1, Some(any("half")));
    let updated = trial.apply(&mut record, half.clone()).await.unwrap();
    assert_eq!((updated.change, updated.revision), (Change::Record, 3));
    assert_eq!(record.metadata, Some(any("half")));
    assert_eq!(record.update_time, trial.now());
    trial.advance(secs(1));
    let same = trial.apply(&mut record, half).await.unwrap();
    assert_eq!((same.change, same.revision), (Change::Lease, 3));
    let none = trial.apply(&mut record, renew(1, None)).await.unwrap();
    assert_eq!(none.change, Change::Lease);
    assert_eq!(record.metadata, Some(any("half")), "it stays");
}

pub(crate) async fn a_renewal_tells_that_cancellation_is_wanted(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, Command::cancel()).await.unwrap();
    let updated = trial.apply(&mut record, renew(1, None)).await.unwrap();
    assert_eq!(updated.state, OperationState::Cancelling);
}

pub(crate) async fn a_stale_fence_cannot_renew(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    for fence in [0, 2, u64::from(u32::MAX)] {
        let stale = trial.apply(&mut record, renew(fence, Some(any("x")))).await;
        assert_eq!(stale, Err(Refusal::Stale), "fence {fence}");
    }
    let mut pending = trial.pending("operations/b").await;
    let stale = trial.apply(&mut pending, renew(0, None)).await;
    assert_eq!(stale, Err(Refusal::Stale), "no worker holds it");
}

pub(crate) async fn a_lease_that_is_over_makes_pending_again(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial
        .apply(&mut record, checkpoint(1, any("page 7")))
        .await
        .unwrap();
    trial.advance(LEASE + MICRO);
    trial.expire(&mut record).await;
    assert_eq!(record.state, OperationState::Pending);
    trial.reclaim(&mut record).await;
    assert_eq!((record.attempt, record.fence), (2, 2));
    assert_eq!(
        record.checkpoint,
        Some(any("page 7")),
        "the next attempt resumes from it"
    );
}

pub(crate) async fn one_claim_turns_back_and_claims(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(LEASE + MICRO);
    let _ = record.apply(Command::Expire, trial.now()).unwrap();
    trial.reclaim(&mut record).await;
}

/// report:E3
pub(crate) async fn an_exclusive_store_expires_no_lease_that_is_held(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let holder = Arc::new(Holder {
        uid: record.uid,
        fence: record.fence,
        holds: AtomicBool::new(true),
    });
    trial.store().observe(holder.clone());
    if trial.store().is_exclusive() {
        for _ in 0..3 {
            trial.advance(2 * LEASE);
            let claimed = trial.claim(9).await;
            assert_eq!(claimed.operations, []);
            let next_in = claimed.next_in.unwrap();
            assert!(!next_in.is_zero() && next_in <= LEASE, "{next_in:?}");
            assert_eq!(trial.get(&record.name).await.as_ref(), Some(&record));
        }
        trial.apply(&mut record, renew(1, None)).await.unwrap();
    }
    // Once the worker lets go of it, or where other processes may claim it, time decides.
    trial.advance(2 * LEASE);
    if trial.store().is_exclusive() {
        assert_eq!(trial.claim(9).await.operations, []);
    }
    holder.holds.store(false, Ordering::SeqCst);
    trial.advance(LEASE);
    trial.expire(&mut record).await;
    trial.reclaim(&mut record).await;
    assert_eq!((record.attempt, record.fence), (2, 2));
}

/// A worker that holds one operation.
struct Holder {
    uid: Uuid,
    fence: u64,
    holds: AtomicBool,
}

impl StoreObserver for Holder {
    fn on_event(&self, _event: &StoreEvent) {}

    fn is_held(&self, uid: Uuid, fence: u64) -> bool {
        self.holds.load(Ordering::SeqCst) && (uid, fence) == (self.uid, self.fence)
    }
}

pub(crate) async fn a_lease_is_good_until_its_end(trial: Trial) {
    let record = trial.running("operations/a").await;
    trial.advance(LEASE - MICRO);
    assert_eq!(trial.claimed_names(9).await, [""; 0]);
    assert_eq!(trial.get(&record.name).await, Some(record));
}

pub(crate) async fn a_lease_is_good_in_its_last_moment(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(LEASE);
    let claimed = trial.claim(9).await;
    assert_eq!(claimed.operations, []);
    assert!(
        claimed.next_in.unwrap() <= Duration::from_millis(1),
        "at once"
    );
    assert_eq!(trial.get(&record.name).await.as_ref(), Some(&record));
    trial.advance(MICRO);
    trial.expire(&mut record).await;
}

pub(crate) async fn a_renewed_lease_is_not_over(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    for _ in 0..5 {
        trial.advance(secs(20));
        trial.apply(&mut record, renew(1, None)).await.unwrap();
        assert_eq!(trial.claimed_names(9).await, [""; 0]);
    }
    assert_eq!(record.attempt, 1);
}

pub(crate) async fn a_checkpoint_renews_the_lease(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(secs(20));
    trial
        .apply(&mut record, checkpoint(1, any("1")))
        .await
        .unwrap();
    trial.advance(secs(20));
    assert_eq!(trial.claimed_names(9).await, [""; 0]);
    trial.advance(secs(10) + MICRO);
    assert_eq!(trial.claimed_names(9).await, ["operations/a"]);
}

pub(crate) async fn a_late_renewal_is_valid_until_another_claim(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(LEASE + secs(100));
    trial.apply(&mut record, renew(1, None)).await.unwrap();
    assert_eq!(trial.claimed_names(9).await, [""; 0]);
}

pub(crate) async fn a_holder_that_lost_its_lease_is_refused(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.advance(LEASE + MICRO);
    trial.expire(&mut record).await;
    let late = [
        renew(1, Some(any("late"))),
        checkpoint(1, any("late")),
        succeed(1, "late"),
        retry(1, secs(1)),
        release(1),
    ];
    for command in late.clone() {
        let answer = trial.apply(&mut record, command).await;
        assert_eq!(answer, Err(Refusal::Stale), "pending");
    }
    trial.reclaim(&mut record).await;
    for command in late {
        let answer = trial.apply(&mut record, command).await;
        assert_eq!(answer, Err(Refusal::Stale), "another one runs it");
    }
    trial.apply(&mut record, succeed(2, "mine")).await.unwrap();
}

/// spec:137
pub(crate) async fn a_lost_worker_aborts_what_is_not_to_resume(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.policy.on_crash = OnCrash::Abort;
    let mut record = trial.running_from(operation).await;
    trial.advance(LEASE + MICRO);
    trial.expire(&mut record).await;
    assert_eq!(record.state, OperationState::Failed);
    assert_eq!(error_code(&record), 10, "ABORTED");
    assert_eq!(trial.claimed_names(9).await, [""; 0]);
}

pub(crate) async fn a_lost_worker_fails_what_has_no_attempt_left(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.policy.max_attempts = 2;
    let mut record = trial.running_from(operation).await;
    trial.advance(LEASE + MICRO);
    trial.expire(&mut record).await;
    trial.reclaim(&mut record).await;
    trial.advance(LEASE + MICRO);
    trial.expire(&mut record).await;
    assert_eq!((record.state, record.attempt), (OperationState::Failed, 2));
    assert_eq!(error_code(&record), 10, "ABORTED");
}

pub(crate) async fn a_lost_worker_cancels_what_is_cancelling(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, Command::cancel()).await.unwrap();
    trial.advance(LEASE + MICRO);
    trial.expire(&mut record).await;
    assert_eq!(record.state, OperationState::Cancelled);
    assert_eq!(error_code(&record), 1, "CANCELLED");
}

pub(crate) async fn a_lost_worker_of_a_deleted_operation_that_ends_removes_it(trial: Trial) {
    let mut operation = trial.operation("operations/a").exclusive("k");
    operation.policy.max_attempts = 1;
    let mut record = trial.running_from(operation).await;
    trial.apply(&mut record, Command::delete()).await.unwrap();
    trial.advance(LEASE + MICRO);
    assert_eq!(trial.claimed_names(9).await, [""; 0]);
    let again = trial.operation("operations/a").exclusive("k");
    trial.started(again).await;
}

pub(crate) async fn leases_of_methods_that_are_not_hosted_expire_too(trial: Trial) {
    let operation = trial.operation("operations/a").method(OTHER);
    let mut record = trial.running_from(operation).await;
    trial.advance(LEASE + MICRO);
    trial.expire(&mut record).await;
    assert_eq!(record.state, OperationState::Pending);
}

pub(crate) async fn many_leases_that_are_over_come_back_in_bounded_steps(trial: Trial) {
    const MANY: usize = 1_000;
    let batch = (0..MANY as u64)
        .map(|n| trial.operation(&numbered("", n)).born_claimed(worker(1)))
        .collect();
    trial.start_all(batch).await;
    trial.advance(LEASE + MICRO);
    let mut back = 0;
    // No store needs more claims than there are leases.
    for _ in 0..=MANY {
        let claimed = trial.claim(MANY).await;
        back += claimed.operations.len();
        if back == MANY {
            return;
        }
        assert_eq!(claimed.next_in, Some(Duration::ZERO), "more are over");
    }
    panic!("{back} of {MANY} came back");
}

pub(crate) async fn a_claim_of_nothing_turns_back_what_is_over_too(trial: Trial) {
    let mut resumes = trial.running("operations/a").await;
    let mut cancelling = trial.running("operations/b").await;
    trial
        .apply(&mut cancelling, Command::cancel())
        .await
        .unwrap();
    trial.pending("operations/c").await;
    let nothing = || trial.store().claim(claim(worker(2), &[], 0));
    let early = nothing().await.unwrap();
    assert_eq!(early.operations, []);
    let next_in = early.next_in.unwrap();
    assert!(!next_in.is_zero() && next_in <= LEASE, "the leases' end");
    trial.advance(LEASE + MICRO);
    let swept = nothing().await.unwrap();
    assert_eq!((swept.operations, swept.next_in), (Vec::new(), None));
    for record in [&mut resumes, &mut cancelling] {
        let _ = record.apply(Command::ExpireShared, trial.now()).unwrap();
        assert_eq!(trial.get(&record.name).await.as_ref(), Some(&*record));
    }
    assert_eq!(resumes.state, OperationState::Pending);
    assert_eq!(cancelling.state, OperationState::Cancelled);
}

pub(crate) async fn a_batch_of_renewals_answers_each(trial: Trial) {
    let mut updates = Vec::new();
    for n in 0..50 {
        let of = numbered("", n);
        if n % 10 == 7 {
            trial.pending(&of).await;
        } else if n % 10 != 8 {
            trial.running(&of).await;
        }
        let command = renew(u64::from(n % 10 != 9), Some(any("m")));
        updates.push(Update::by_name(name(&of), command));
    }
    let answers = trial.update_all(updates).await;
    for (n, answer) in answers.into_iter().enumerate() {
        match n % 10 {
            7 | 9 => assert_eq!(answer, Err(Refusal::Stale), "{n}"),
            8 => assert_eq!(answer, Err(Refusal::NotFound), "{n}"),
            _ => assert_eq!(answer.unwrap().change, Change::Record, "{n}"),
        }
    }
}

fn error_code(record: &OperationRecord) -> i32 {
    match &record.result {
        Some(OperationResult::Error(status)) => status.code,
        other => panic!("no error but {other:?}"),
    }
}
