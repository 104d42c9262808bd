//! Watching how far an operation is.

use std::time::Duration;

use futures_util::StreamExt as _;
use lro_client::{IntoPoller as _, Operation, PollingResult};
use lro_core::pb;
use tonic::Status;

use crate::support::{Fake, TestPoller, at_step, response, running, succeeded};

const SECOND: Duration = Duration::from_secs(1);

fn succeeded_at_step(seconds: i64) -> pb::Operation {
    pb::Operation {
        metadata: at_step(seconds).metadata,
        ..succeeded()
    }
}

/// The updates, as text.
async fn updates(mut poller: TestPoller) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(update) = poller.next_update().await {
        seen.push(match update {
            PollingResult::InProgress(None) => "nothing".into(),
            PollingResult::InProgress(Some(metadata)) => metadata.seconds.to_string(),
            PollingResult::PollingError(status) => status.message().to_owned(),
            PollingResult::Completed(Ok(response)) => format!("done {}", response.seconds),
            PollingResult::Completed(Err(error)) => error.to_string(),
        });
    }
    assert!(poller.next_update().await.is_none());
    seen
}

#[tokio::test(start_paused = true)]
async fn tells_at_once_then_changes_then_the_last_metadata_and_the_end() {
    let fake = Fake::script(vec![
        Ok(running()),
        Ok(at_step(1)),
        Ok(at_step(1)),
        Err(Status::unavailable("down")),
        Ok(at_step(1)),
        Ok(at_step(2)),
        Ok(succeeded_at_step(3)),
    ]);
    let seen = updates(fake.started()).await;
    assert_eq!(seen, ["nothing", "1", "down", "2", "3", "done 42"]);
    assert_eq!(fake.methods(), ["get"; 7]);
    assert!(
        fake.gaps()
            .iter()
            .all(|gap| *gap >= SECOND / 8 && *gap <= SECOND + SECOND / 100)
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_update_of_a_fresh_operation_needs_no_call() {
    let fake = Fake::script(vec![Ok(succeeded_at_step(7))]);
    let mut poller: TestPoller = Operation::from(at_step(7)).into_poller(&fake.client());
    assert!(matches!(
        poller.next_update().await,
        Some(PollingResult::InProgress(Some(_)))
    ));
    assert!(fake.calls().is_empty());
    // The same metadata is no news when the operation is done.
    assert_eq!(updates(poller).await, ["done 42"]);
}

#[tokio::test(start_paused = true)]
async fn a_resumed_operation_is_asked_for_first() {
    let fake = Fake::script(vec![Ok(at_step(7)), Ok(succeeded())]);
    assert_eq!(updates(fake.resumed()).await, ["7", "nothing", "done 42"]);
    let fake = Fake::script(vec![Ok(succeeded())]);
    assert_eq!(updates(fake.resumed()).await, ["done 42"]);
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_ends_watching_too_and_gives_a_poller_back() {
    let fake = Fake::new(|call| async move {
        Ok(if call.at < SECOND * 15 {
            at_step(1)
        } else {
            succeeded()
        })
    });
    let mut poller = fake.started().time_limit(SECOND * 10);
    let error = loop {
        if let PollingResult::Completed(result) = poller.next_update().await.unwrap() {
            break result.unwrap_err();
        }
    };
    assert!(error.is_timeout() && error.elapsed() <= SECOND * 10);
    assert!(poller.next_update().await.is_none());
    let seen = updates(error.into_poller().unwrap()).await;
    assert_eq!(seen, ["1", "nothing", "done 42"]);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_is_dropped_half_way_is_not_lost_and_not_hastened() {
    let fake = Fake::script(vec![
        Ok(at_step(1)),
        Ok(at_step(2)),
        Ok(succeeded_at_step(3)),
    ]);
    let mut poller = fake.resumed();
    let mut seen = 0;
    loop {
        // Much shorter than the pauses between polls.
        match tokio::time::timeout(SECOND / 100, poller.next_update()).await {
            Ok(Some(_)) => seen += 1,
            Ok(None) => break,
            Err(_) => {}
        }
    }
    assert_eq!((seen, fake.calls().len()), (4, 3));
    assert!(
        fake.gaps().iter().all(|gap| *gap >= SECOND / 8),
        "{:?}",
        fake.gaps()
    );
}

#[tokio::test(start_paused = true)]
async fn until_done_with_hands_out_metadata() {
    let fake = Fake::script(vec![
        Ok(at_step(1)),
        Ok(running()),
        Ok(succeeded_at_step(3)),
    ]);
    let mut seen = Vec::new();
    let done = fake
        .started()
        .until_done_with(|metadata| seen.push(metadata.seconds));
    assert_eq!(done.await.unwrap(), response());
    assert_eq!(seen, [1, 3]);

    // Also if an earlier watch has seen the end.
    let fake = Fake::script(vec![Ok(succeeded())]);
    let mut poller = fake.started();
    while poller.next_update().await.is_some() {}
    assert_eq!(poller.until_done_with(|_| {}).await.unwrap(), response());
}

#[tokio::test(start_paused = true)]
async fn pollers_can_be_sent_to_tasks() {
    let fake = Fake::script(vec![Ok(succeeded())]);
    let mut poller = fake.started();
    let task = tokio::spawn(async move {
        poller.next_update().await;
        poller.poll().await;
        poller.cancel().await.unwrap();
        poller.clone().until_done_with(|_| {}).await.unwrap();
        poller.await.unwrap()
    });
    assert_eq!(task.await.unwrap(), response());
}

#[tokio::test(start_paused = true)]
async fn the_same_updates_come_as_a_stream() {
    let unreadable = pb::Operation {
        metadata: Some(lro_core::pack(&())),
        ..running()
    };
    let fake = Fake::script(vec![
        Ok(at_step(1)),
        Ok(at_step(1)),
        Ok(unreadable),
        Ok(succeeded_at_step(3)),
    ]);
    let mut updates = fake.started().into_stream();
    let mut seen = Vec::new();
    while let Some(update) = updates.next().await {
        let metadata = updates.metadata();
        seen.push(match update {
            PollingResult::InProgress(Some(metadata)) => metadata.seconds.to_string(),
            PollingResult::InProgress(None) => format!("{metadata:?}"),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(seen[..2], ["Ok(None)", "1"]);
    assert!(seen[2].contains("google.protobuf.Empty"), "{seen:?}");
    assert_eq!(seen[3], "3");
    assert!(seen[4].starts_with("Completed(Ok("), "{seen:?}");
    assert!(seen.len() == 5 && updates.next().await.is_none());
    let poller = updates.into_poller().unwrap();
    assert_eq!(poller.until_done().await.unwrap(), response());
}
