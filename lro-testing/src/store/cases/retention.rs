use std::time::Duration;

use lro_core::store::Command;

use crate::store::build::*;
use crate::store::trial::Trial;

const RETAIN: Duration = Duration::from_secs(100);

/// spec:76
pub(crate) async fn a_done_operation_is_purged_when_its_time_has_come(trial: Trial) {
    let record = done(&trial, "operations/a").await;
    assert_eq!(record.expire_time, Some(trial.now().saturating_add(RETAIN)));
    trial.advance(RETAIN - Duration::from_micros(1));
    assert_eq!(trial.purge(9).await, 0, "a microsecond early");
    assert_eq!(trial.get(&record.name).await, Some(record.clone()));
    trial.advance(Duration::from_micros(2));
    assert_eq!(trial.purge(9).await, 1);
    assert_eq!(trial.get(&record.name).await, None);
    assert_eq!(trial.list("").await, [""; 0]);
    assert_eq!(trial.purge(9).await, 0);
}

/// spec:77
pub(crate) async fn what_has_not_ended_is_never_purged(trial: Trial) {
    let mut running = trial
        .running_from(short_lived(&trial, "operations/r"))
        .await;
    let pending = trial.started(short_lived(&trial, "operations/p")).await;
    trial.apply(&mut running, Command::cancel()).await.unwrap();
    trial.advance(secs(1_000_000_000));
    assert_eq!(trial.purge(9).await, 0);
    assert_eq!(trial.get(&pending.name).await, Some(pending));
    trial.apply(&mut running, succeed(1, "r")).await.unwrap();
    assert_eq!(trial.purge(9).await, 0, "it counts from the end");
}

pub(crate) async fn a_purge_is_bounded(trial: Trial) {
    for n in 0..25 {
        done(&trial, &numbered("", n)).await;
    }
    trial.advance(RETAIN + secs(1));
    for left in [15, 5, 0, 0] {
        let before = trial.list("").await.len();
        assert_eq!(trial.purge(10).await, before - left);
        assert_eq!(trial.list("").await.len(), left);
    }
}

pub(crate) async fn each_operation_is_kept_as_long_as_its_policy_says(trial: Trial) {
    for (of, retain) in [("short", 10), ("long", 1_000), ("never", 0)] {
        let mut operation = trial.operation(&format!("operations/{of}"));
        operation.policy.retain = secs(retain);
        let mut record = trial.running_from(operation).await;
        trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    }
    trial.advance(secs(11));
    assert_eq!(trial.purge(9).await, 2);
    assert_eq!(trial.list("").await, ["operations/long"]);
}

pub(crate) async fn a_purged_operation_leaves_its_name_and_keys(trial: Trial) {
    let keyed = |of| short_lived(&trial, of).with(|new| new.request_id = request_id("r", 1));
    let mut record = trial
        .running_from(keyed("operations/a").exclusive("k"))
        .await;
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    let holder = trial.operation("operations/b").exclusive("k");
    let holder = trial.started(holder).await;
    trial.advance(RETAIN + secs(1));
    assert_eq!(trial.purge(9).await, 1);
    trial.started(keyed("operations/a")).await;
    let held = lro_core::store::StartError::ExclusiveKeyHeld(holder.name);
    let second = trial.operation("operations/c").exclusive("k");
    assert_eq!(trial.start(second).await, Err(held), "b holds it since");
}

pub(crate) async fn a_removed_operation_is_not_purged_again(trial: Trial) {
    let mut record = done(&trial, "operations/a").await;
    trial.apply(&mut record, Command::delete()).await.unwrap();
    trial.pending("operations/a").await;
    trial.advance(RETAIN + secs(1));
    assert_eq!(trial.purge(9).await, 0);
    assert_eq!(trial.list("").await, ["operations/a"]);
}

pub(crate) async fn retention_without_end_does_not_overflow(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.policy.retain = Duration::from_secs(u64::from(u32::MAX) * 100);
    let mut record = trial.running_from(operation).await;
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    assert_eq!(record.expire_time, Some(lro_core::Timestamp::MAX));
    assert_eq!(trial.purge(9).await, 0);
}

fn short_lived(trial: &Trial, of: &str) -> lro_core::store::NewOperation {
    trial.operation(of).with(|new| new.policy.retain = RETAIN)
}

async fn done(trial: &Trial, of: &str) -> lro_core::store::OperationRecord {
    let mut record = trial.running_from(short_lived(trial, of)).await;
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    record
}
