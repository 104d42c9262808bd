use std::sync::{Arc, Weak};

use lro_core::OperationName;
use lro_core::store::{
    Command, OnCrash, OperationOutcome, OperationRecord, OperationState, OperationStore,
    StoreEvent, StoreObserver, Update,
};
use tokio::sync::mpsc;

use crate::EventLog;
use crate::store::build::*;
use crate::store::trial::Trial;

pub(crate) async fn a_started_operation_is_announced_as_ready(trial: Trial) {
    let log = trial.observe();
    let record = trial.pending("operations/a").await;
    ready(&log, &record).await;
}

pub(crate) async fn a_scheduled_operation_is_announced_with_its_time(trial: Trial) {
    let log = trial.observe();
    let mut operation = trial.operation("operations/a").method(OTHER);
    operation.ready_time = Some(trial.now().saturating_add(secs(60)));
    let record = trial.started(operation).await;
    ready(&log, &record).await;
}

pub(crate) async fn a_requeued_operation_is_announced_as_ready(trial: Trial) {
    let log = trial.observe();
    let backs = [retry(1, secs(7)), release(1), Command::Expire];
    for (n, back) in (0..).zip(backs) {
        let operation = trial.operation(&numbered("", n));
        let method = format!("/test.Back/{n}");
        let mut record = trial.running_from(operation.method(&method)).await;
        trial.advance(secs(1));
        trial.apply(&mut record, back).await.unwrap();
        ready(&log, &record).await;
    }
}

pub(crate) async fn an_expired_lease_is_announced(trial: Trial) {
    let log = trial.observe();
    let mut operation = trial.operation("operations/b");
    operation.policy.on_crash = OnCrash::Abort;
    let mut again = trial.running("operations/a").await;
    let last = trial.running_from(operation).await;
    trial.advance(LEASE + secs(1));
    trial.expire_as(&mut again, Command::ExpireShared).await;
    ready(&log, &again).await;
    let told = log.wait_for_change(&last.name, |state, deleted| {
        state == OperationState::Failed && !deleted
    });
    let StoreEvent::Changed { ended, .. } = told.await else {
        unreachable!("a change was waited for");
    };
    let read = trial.store().get(&last.name).await.unwrap();
    assert!(read.as_ref().is_some_and(|it| it.state.is_done()));
    assert_eq!(ended.as_deref(), read.map(|it| it.public_part()).as_ref());
}

pub(crate) async fn each_visible_change_is_announced(trial: Trial) {
    let log = trial.observe();
    let mut record = trial.pending("operations/a").await;
    trial.reclaim(&mut record).await;
    changed(&log, &record, false).await;
    for command in [
        renew(1, Some(any("m"))),
        checkpoint(1, any("c")),
        Command::cancel(),
        finish(1, OperationOutcome::Cancelled),
    ] {
        log.clear();
        trial.apply(&mut record, command).await.unwrap();
        match record.state.is_done() {
            true => ended(&log, &record, false).await,
            false => changed(&log, &record, false).await,
        }
    }
}

pub(crate) async fn each_end_is_announced(trial: Trial) {
    let log = trial.observe();
    let ends = [
        succeed(1, "r"),
        finish(1, OperationOutcome::Error(failure(5))),
        finish(1, OperationOutcome::Cancelled),
    ];
    for (n, end) in (0..).zip(ends) {
        // All that is shown, or that who asks is judged by.
        let mut operation = trial.operation(&numbered("", n));
        operation.labels = labels([("env", "prod")]);
        operation.origin.principal = "user:a".to_owned();
        operation.origin.standard_metadata = Some(lro_core::store::StandardMetadata::default());
        operation.request_id = request_id(&n.to_string(), 1);
        operation.metadata = Some(any("m"));
        let mut record = trial.running_from(operation).await;
        trial
            .apply(&mut record, checkpoint(1, any("c")))
            .await
            .unwrap();
        trial.apply(&mut record, end).await.unwrap();
        ended(&log, &record, false).await;
    }
    let mut pending = trial.pending("operations/p").await;
    trial.apply(&mut pending, Command::cancel()).await.unwrap();
    ended(&log, &pending, false).await;
    let mut hidden = trial.running("operations/h").await;
    trial.apply(&mut hidden, Command::delete()).await.unwrap();
    let uid = hidden.uid;
    let update = Update::by_uid(hidden.name.clone(), uid, succeed(1, "r"));
    trial.store().update(vec![update]).await.unwrap();
    let told = |event: &StoreEvent| match event {
        StoreEvent::Changed {
            ended: Some(end),
            deleted: true,
            ..
        } => end.uid == uid && end.result.is_some(),
        _ => false,
    };
    log.wait_for("the end of a deleted operation", told).await;
}

pub(crate) async fn a_deleted_operation_is_announced_as_deleted(trial: Trial) {
    let log = trial.observe();
    let mut hidden = trial.running("operations/hidden").await;
    trial.apply(&mut hidden, Command::delete()).await.unwrap();
    changed(&log, &hidden, true).await;
    let mut removed = trial.running("operations/removed").await;
    trial.apply(&mut removed, succeed(1, "r")).await.unwrap();
    trial.apply(&mut removed, Command::delete()).await.unwrap();
    changed(&log, &removed, true).await;
}

pub(crate) async fn a_purged_operation_is_announced_as_deleted(trial: Trial) {
    let log = trial.observe();
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    trial.advance(record.policy.retain + secs(1));
    assert_eq!(trial.purge(9).await, 1);
    changed(&log, &record, true).await;
}

pub(crate) async fn every_observer_receives_events(trial: Trial) {
    let logs = [trial.observe(), trial.observe(), trial.observe()];
    let mut record = trial.pending("operations/a").await;
    trial.apply(&mut record, Command::cancel()).await.unwrap();
    for log in logs {
        ready(&log, &record).await;
        ended(&log, &record, false).await;
    }
}

/// spec:54
pub(crate) async fn an_announced_change_can_be_read(trial: Trial) {
    let (told, mut heard) = mpsc::unbounded_channel();
    let probe = Probe {
        store: Arc::downgrade(trial.store()),
        runtime: tokio::runtime::Handle::current(),
        told,
    };
    trial.store().observe(Arc::new(probe));
    for n in 0..50 {
        let mut record = trial.running(&numbered("", n)).await;
        trial.apply(&mut record, succeed(1, "r")).await.unwrap();
        let answer = tokio::time::timeout(EventLog::PATIENCE, async {
            loop {
                let (name, seen) = heard.recv().await.unwrap();
                if name == record.name {
                    return seen;
                }
            }
        });
        let seen = answer.await.unwrap();
        assert_eq!(seen, Some(record), "the store answers before the event");
    }
}

/// Reads an operation immediately when it receives the event of its end.
struct Probe {
    store: Weak<dyn OperationStore>,
    runtime: tokio::runtime::Handle,
    told: mpsc::UnboundedSender<(OperationName, Option<OperationRecord>)>,
}

impl StoreObserver for Probe {
    fn on_event(&self, event: &StoreEvent) {
        let StoreEvent::Changed { name, state, .. } = event else {
            return;
        };
        let (Some(store), true) = (self.store.upgrade(), state.is_done()) else {
            return;
        };
        let (name, told) = (name.clone(), self.told.clone());
        self.runtime.spawn(async move {
            let seen = store.get(&name).await.unwrap();
            // The case may have heard enough.
            let _ = told.send((name, seen));
        });
    }
}

async fn ready(log: &EventLog, record: &OperationRecord) {
    let wanted = StoreEvent::Ready {
        method: record.method.clone(),
        ready_time: record.ready_time,
    };
    log.wait_for(&format!("{wanted:?}"), |event| *event == wanted)
        .await;
}

async fn changed(log: &EventLog, record: &OperationRecord, deleted: bool) {
    heard(log, record, deleted, None).await;
}

/// That it has changed, and with that change ended.
async fn ended(log: &EventLog, record: &OperationRecord, deleted: bool) {
    heard(log, record, deleted, Some(Arc::new(record.public_part()))).await;
}

async fn heard(
    log: &EventLog,
    record: &OperationRecord,
    deleted: bool,
    ended: Option<Arc<OperationRecord>>,
) {
    let wanted = StoreEvent::Changed {
        uid: record.uid,
        name: record.name.clone(),
        state: record.state,
        deleted,
        ended,
    };
    log.wait_for(&format!("{wanted:?}"), |event| *event == wanted)
        .await;
}
