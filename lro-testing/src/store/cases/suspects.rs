//! Operations whose worker was lost, and how claims take them.

use std::time::Duration;

use lro_core::store::{Claim, Command, OperationRecord, Suspects};

use crate::store::build::{LEASE, METHOD, any, checkpoint, claim, numbered, renew, secs, worker};
use crate::store::trial::Trial;

const MICRO: Duration = Duration::from_micros(1);

/// The losses and the attempt of each operation.
async fn losses<const N: usize>(trial: &Trial, records: &[OperationRecord; N]) -> [(u32, u32); N] {
    let mut found = [(0, 0); N];
    for (found, record) in found.iter_mut().zip(records) {
        let record = trial.get(&record.name).await.unwrap();
        *found = (record.losses, record.attempt);
    }
    found
}

async fn sweep(trial: &Trial) {
    let nothing = claim(worker(9), &[], 0);
    let claimed = trial.store().claim(nothing).await.unwrap();
    assert_eq!(claimed.operations, []);
}

/// report:N2
pub(crate) async fn operations_that_are_lost_together_use_up_no_attempt(trial: Trial) {
    let records = [
        trial.running("operations/a").await,
        trial.running("operations/b").await,
    ];
    trial.advance(LEASE + MICRO);
    sweep(&trial).await;
    assert_eq!(losses(&trial, &records).await, [(1, 0), (1, 0)]);
}

/// report:N2
pub(crate) async fn an_operation_that_is_lost_alone_uses_up_an_attempt(trial: Trial) {
    let records = [trial.running("operations/a").await];
    trial.advance(LEASE + MICRO);
    sweep(&trial).await;
    assert_eq!(losses(&trial, &records).await, [(1, 1)]);
}

/// report:N2
pub(crate) async fn leases_that_expire_one_after_the_other_are_lost_together(trial: Trial) {
    let a = trial.running("operations/a").await;
    trial.advance(secs(5));
    let b = trial.running("operations/b").await;
    let records = [a, b];
    trial.advance(LEASE - secs(5) + MICRO);
    sweep(&trial).await;
    assert_eq!(losses(&trial, &records).await, [(1, 0), (0, 1)]);
    trial.advance(secs(5));
    sweep(&trial).await;
    assert_eq!(losses(&trial, &records).await, [(1, 0), (1, 0)]);
}

/// report:N2
pub(crate) async fn a_worker_that_renews_was_not_lost(trial: Trial) {
    let a = trial.running("operations/a").await;
    trial.advance(secs(5));
    let mut b = trial.running("operations/b").await;
    trial.advance(LEASE - secs(5) + MICRO);
    sweep(&trial).await;
    trial.apply(&mut b, renew(1, None)).await.unwrap();
    trial.advance(LEASE + MICRO);
    sweep(&trial).await;
    assert_eq!(losses(&trial, &[a, b]).await, [(1, 0), (1, 1)]);
}

/// report:N2
pub(crate) async fn a_deletion_does_not_hide_a_shared_loss(trial: Trial) {
    trial.running("operations/a").await;
    trial.advance(secs(5));
    let b = trial.running("operations/b").await;
    trial.advance(LEASE - secs(5) + MICRO);
    sweep(&trial).await;
    trial.update(&b.name, Command::delete()).await.unwrap();
    trial.advance(secs(5));
    sweep(&trial).await;
    let b = trial.get_deleted(&b.name).await.unwrap();
    assert_eq!((b.losses, b.attempt), (1, 0));
}

/// report:N2
pub(crate) async fn a_claim_after_an_outage_leaves_leases_that_are_over(trial: Trial) {
    let mut a = trial.running("operations/a").await;
    let b = trial.running("operations/b").await;
    let c = trial.pending("operations/c").await;
    trial.advance(LEASE + MICRO);
    let mut leaves = claim(worker(9), &[METHOD], 5);
    leaves.expires_leases = false;
    let claimed = trial.store().claim(leaves).await.unwrap();
    assert_eq!(claimed.operations.len(), 1);
    assert_eq!(claimed.operations[0].name, c.name);
    assert_eq!(claimed.next_in, None, "no lease that it may not end");
    // The holder lives, and releases what it has stopped.
    let release = Command::Release {
        fence: a.fence,
        metadata: None,
    };
    trial.apply(&mut a, release).await.unwrap();
    sweep(&trial).await;
    assert_eq!(losses(&trial, &[a, b]).await, [(0, 0), (1, 1)]);
}

/// report:N2
pub(crate) async fn a_checkpoint_acquits(trial: Trial) {
    let mut record = trial.pending("operations/a").await;
    for _ in 0..2 {
        trial.reclaim(&mut record).await;
        trial
            .apply(&mut record, Command::ExpireShared)
            .await
            .unwrap();
    }
    trial.reclaim(&mut record).await;
    let fence = record.fence;
    let save = checkpoint(fence, any("page 7"));
    trial.apply(&mut record, save).await.unwrap();
    assert_eq!((record.losses, record.attempt), (0, 1));
}

fn with(max_together: usize, trial_after: Option<Duration>, limit: usize) -> Claim {
    Claim {
        suspects: Suspects {
            max_together,
            trial_after,
        },
        ..claim(worker(1), &[METHOD], limit)
    }
}

async fn claimed(trial: &Trial, claim: Claim) -> (Vec<String>, bool) {
    let claimed = trial.store().claim(claim).await.unwrap();
    let names = claimed.operations.iter();
    let names = names.map(|record| record.name.operation_id().to_owned());
    (names.collect(), claimed.suspects_wait)
}

/// report:N2
pub(crate) async fn a_claim_takes_as_many_suspects_as_it_allows(trial: Trial) {
    for n in 0..4 {
        trial.running(&numbered("", n)).await;
    }
    trial.advance(LEASE + MICRO);
    sweep(&trial).await;
    let innocent = trial.pending("operations/innocent").await;
    let innocent = innocent.name.operation_id().to_owned();
    let (names, wait) = claimed(&trial, with(0, None, 9)).await;
    assert_eq!((names, wait), (vec![innocent], true));
    let (names, wait) = claimed(&trial, with(3, None, 9)).await;
    assert_eq!((names.len(), wait), (3, true));
    let (names, wait) = claimed(&trial, with(9, None, 9)).await;
    assert_eq!((names.len(), wait), (1, false));
}

/// report:N2
pub(crate) async fn an_operation_with_two_losses_is_claimed_alone(trial: Trial) {
    let mut tried = trial.pending("operations/a").await;
    for _ in 0..2 {
        trial.reclaim(&mut tried).await;
        trial
            .apply(&mut tried, Command::ExpireShared)
            .await
            .unwrap();
    }
    trial.pending("operations/b").await;
    let (names, wait) = claimed(&trial, with(9, None, 1)).await;
    assert_eq!((names, wait), (vec!["b".to_owned()], true));
    trial.pending("operations/c").await;
    let patience = Some(secs(7));
    let early = trial.store().claim(with(9, patience, 0)).await.unwrap();
    assert_eq!(early.operations, []);
    trial.advance(secs(7));
    let (names, wait) = claimed(&trial, with(9, patience, 9)).await;
    assert_eq!((names, wait), (vec!["a".to_owned()], false));
    let (names, _) = claimed(&trial, with(9, None, 9)).await;
    assert_eq!(names, ["c"]);
}

/// report:N2
pub(crate) async fn a_suspect_can_be_cancelled_and_deleted_while_it_waits(trial: Trial) {
    for (n, command) in (0..).zip([Command::cancel(), Command::delete()]) {
        let mut record = trial.pending(&numbered("", n)).await;
        trial.reclaim(&mut record).await;
        for command in [Command::ExpireShared, command] {
            trial.apply(&mut record, command).await.unwrap();
        }
    }
}
