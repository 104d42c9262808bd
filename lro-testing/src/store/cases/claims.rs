use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{Claim, Claimed, OperationState};

use crate::store::build::*;
use crate::store::trial::{Trial, names};

pub(crate) async fn a_claim_makes_running_and_gives_the_lease(trial: Trial) {
    let mut record = trial.pending("operations/a").await;
    trial.advance(Duration::from_micros(1));
    trial.reclaim(&mut record).await;
    assert_eq!(record.state, OperationState::Running);
    assert_eq!(record.start_time, Some(trial.now()));
    assert_eq!(trial.get(&record.name).await, Some(record));
}

pub(crate) async fn the_longest_ready_is_claimed_first(trial: Trial) {
    for (of, wait) in [("c", 30), ("a", 10), ("d", 40), ("b", 20)] {
        let mut operation = trial.operation(&format!("operations/{of}"));
        operation.ready_time = Some(trial.now().saturating_add(secs(wait)));
        trial.started(operation).await;
    }
    trial.advance(secs(40));
    let all = [
        "operations/a",
        "operations/b",
        "operations/c",
        "operations/d",
    ];
    assert_eq!(trial.claimed_names(3).await, all[..3]);
    assert_eq!(trial.claimed_names(3).await, all[3..]);
}

pub(crate) async fn of_equally_long_ready_ones_the_oldest_is_claimed_first(trial: Trial) {
    for of in ["c", "a", "b"] {
        trial.pending(&format!("operations/{of}")).await;
    }
    assert_eq!(
        trial.claimed_names(9).await,
        ["operations/c", "operations/a", "operations/b"]
    );
}

pub(crate) async fn the_longest_ready_is_claimed_first_across_methods(trial: Trial) {
    for n in 0..6 {
        let operation = trial.operation(&numbered("", n));
        let method = [METHOD, OTHER][n as usize % 2];
        trial.started(operation.method(method)).await;
        trial.advance(secs(1));
    }
    let claim = claim(worker(1), &[METHOD, OTHER], 5);
    let claimed = trial.store().claim(claim).await.unwrap();
    let first: Vec<_> = (0..5).map(|n| numbered("", n)).collect();
    assert_eq!(names(&claimed.operations), first);
}

pub(crate) async fn a_claim_keeps_the_limit_of_each_method_and_of_all(trial: Trial) {
    for n in 0..20 {
        let operation = trial.operation(&numbered("", n));
        let method = [METHOD, OTHER][n as usize / 10];
        trial.started(operation.method(method)).await;
    }
    let claim = |of_method, of_other, limit| Claim {
        methods: BTreeMap::from([(METHOD.into(), of_method), (OTHER.into(), of_other)]),
        limit,
        ..claim(worker(1), &[], 0)
    };
    for (claim, of_method, of_other) in [
        (claim(3, 2, 100), 3, 2),
        (claim(2, 9, 4), 2, 2),
        (claim(0, 1, 9), 0, 1),
        (claim(9, 9, 1), 1, 0),
        (claim(99, 99, 99), 4, 5),
        (claim(99, 99, 99), 0, 0),
    ] {
        let claimed = trial.store().claim(claim.clone()).await.unwrap();
        let count = |method| {
            let of = |record: &&lro_core::store::OperationRecord| record.method == method;
            claimed.operations.iter().filter(of).count()
        };
        assert_eq!(
            (count(METHOD), count(OTHER)),
            (of_method, of_other),
            "{claim:?}"
        );
    }
}

pub(crate) async fn nothing_is_claimed_before_its_ready_time(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.ready_time = Some(trial.now().saturating_add(Duration::from_micros(3)));
    let mut record = trial.started(operation).await;
    trial.advance(Duration::from_micros(2));
    assert_eq!(trial.claimed_names(9).await, [""; 0], "a microsecond early");
    trial.advance(Duration::from_micros(1));
    trial.reclaim(&mut record).await;
}

pub(crate) async fn a_claim_tells_when_the_next_is_ready(trial: Trial) {
    assert_eq!(trial.claim(9).await, Claimed::default(), "an empty store");
    for (of, wait) in [("a", 20), ("b", 10)] {
        let mut operation = trial.operation(&format!("operations/{of}"));
        operation.ready_time = Some(trial.now().saturating_add(secs(wait)));
        trial.started(operation).await;
    }
    let next_in = trial.claim(9).await.next_in.unwrap();
    assert!(!next_in.is_zero() && next_in <= secs(10), "{next_in:?}");
    trial.advance(secs(4));
    let next_in = trial.claim(9).await.next_in.unwrap();
    assert!(!next_in.is_zero() && next_in <= secs(6), "{next_in:?}");
}

pub(crate) async fn a_claim_tells_when_a_lease_may_be_over(trial: Trial) {
    trial.running("operations/a").await;
    trial.advance(secs(10));
    let next_in = trial.claim(9).await.next_in.unwrap();
    assert!(!next_in.is_zero() && next_in <= secs(20), "{next_in:?}");
}

pub(crate) async fn a_claim_that_left_ready_ones_is_to_be_repeated_at_once(trial: Trial) {
    for n in 0..3 {
        trial.pending(&numbered("", n)).await;
    }
    assert_eq!(trial.claim(2).await.next_in, Some(Duration::ZERO));
    let rest = trial.claim(2).await;
    assert_eq!(rest.operations.len(), 1);
    assert_ne!(rest.next_in, Some(Duration::ZERO), "nothing is left");
}

pub(crate) async fn methods_that_are_not_hosted_are_left_alone(trial: Trial) {
    let other = trial.operation("operations/a").method(OTHER);
    let other = trial.started(other).await;
    let mut mine = trial.pending("operations/b").await;
    trial.reclaim(&mut mine).await;
    let nothing = claim(worker(1), &[], 9);
    let nothing = trial.store().claim(nothing).await.unwrap();
    assert_eq!(nothing.operations, []);
    assert_eq!(trial.get(&other.name).await, Some(other));
}

pub(crate) async fn a_running_operation_is_not_claimed(trial: Trial) {
    let record = trial.running("operations/a").await;
    let claim = claim(worker(2), &[METHOD], 9);
    let claimed = trial.store().claim(claim).await.unwrap();
    assert_eq!(claimed.operations, []);
    assert_eq!(trial.get(&record.name).await, Some(record));
}

pub(crate) async fn fence_and_attempt_rise_with_each_claim(trial: Trial) {
    let mut record = trial.pending("operations/a").await;
    for round in 1..=5 {
        trial.reclaim(&mut record).await;
        assert_eq!((record.fence, record.attempt), (round, round as u32));
        let again = retry(round, Duration::ZERO);
        trial.apply(&mut record, again).await.unwrap();
    }
}

pub(crate) async fn a_claim_lasts_as_long_as_it_says(trial: Trial) {
    trial.pending("operations/a").await;
    let mut claim = claim(worker(3), &[METHOD], 1);
    claim.lease_duration = Duration::from_micros(1_234_567);
    let claimed = trial.store().claim(claim).await.unwrap();
    let lease = claimed.operations[0].lease.clone().unwrap();
    assert_eq!(lease.worker, worker(3));
    let end = trial.now().saturating_add(Duration::from_micros(1_234_567));
    assert_eq!(lease.expire_time, end);
}

pub(crate) async fn concurrent_claims_share_without_overlap(trial: Trial) {
    let batch = (0..300)
        .map(|n| trial.operation(&numbered("", n)))
        .collect();
    trial.start_all(batch).await;
    let trial = Arc::new(trial);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let trial = trial.clone();
        tasks.spawn(async move {
            let mut got = Vec::new();
            loop {
                let claim = claim(worker(n), &[METHOD], 7);
                let claimed = trial.store().claim(claim).await.unwrap();
                if claimed.operations.is_empty() {
                    return got;
                }
                for record in claimed.operations {
                    assert_eq!(record.lease.as_ref().unwrap().worker, worker(n));
                    assert_eq!((record.fence, record.attempt), (1, 1));
                    got.push(record.name);
                }
            }
        });
    }
    let all: Vec<_> = tasks.join_all().await.concat();
    assert_eq!(all.len(), 300);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 300);
}
