//! Waits on a path that cuts calls which last too long.

use std::time::Duration;

use lro_client::ContinueOnTransient;
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};

use crate::support::{Fake, running, succeeded};

const SECOND: Duration = Duration::from_secs(1);

/// How a path ends a call that lasts too long.
fn cuts() -> [Status; 4] {
    [
        Status::unavailable("upstream reset"),
        Status::deadline_exceeded("stream timeout"),
        Status::cancelled("Timeout expired"),
        Status::from_error(Box::new(tonic::TimeoutExpired(()))),
    ]
}

/// A path that ends each call after `limit`. The operation is done after `end`.
fn cutting(limit: Duration, cut: Status, end: Duration) -> std::sync::Arc<Fake> {
    Fake::new(move |call| {
        let cut = cut.clone();
        async move {
            let left = end.saturating_sub(call.at);
            if call.method == "get" || left <= call.wait.min(limit) {
                sleep(if call.method == "get" {
                    Duration::ZERO
                } else {
                    left
                })
                .await;
                return Ok(if call.at + call.wait >= end {
                    succeeded()
                } else {
                    running()
                });
            }
            sleep(call.wait.min(limit)).await;
            if call.wait < limit {
                Ok(running())
            } else {
                Err(cut)
            }
        }
    })
}

/// report:C2
#[tokio::test(start_paused = true)]
async fn a_wait_that_is_cut_is_no_error_and_makes_the_next_one_shorter() {
    for limit in [1, 3, 10, 15, 30, 59, 60].map(|seconds| SECOND * seconds) {
        for cut in cuts() {
            // A whole wait, which some servers end with an error.
            if limit == SECOND * 60 && cut.code() != Code::Unavailable {
                continue;
            }
            let end = SECOND * 1_000 + limit / 3;
            let fake = cutting(limit, cut.clone(), end);
            let strict = ContinueOnTransient::default().with_consecutive_limit(0);
            let poller = fake.started().error_policy(strict);
            let began = Instant::now();
            poller.until_done().await.unwrap();
            let late = began.elapsed() - end;
            assert!(
                late < SECOND / 2,
                "{late:?} late, cut after {limit:?} by {cut}"
            );
            let calls = fake.calls();
            let waits = || calls.iter().filter(|call| call.method == "wait");
            assert!(waits().nth(1).is_some_and(|call| call.wait < limit));
            let cut_waits = waits().filter(|call| call.wait >= limit).count();
            assert!(
                cut_waits * 4 <= waits().count().max(12),
                "{cut_waits} cuts after {limit:?}"
            );
            // Careful tries of longer waits: none is much longer than what the path lets through.
            assert!(waits().skip(1).all(|call| call.wait < limit * 2));
        }
    }
}

/// report:C2
#[tokio::test(start_paused = true)]
async fn an_outage_after_a_cut_is_an_error_that_counts() {
    let fake = Fake::new(|call| async move {
        if call.index == 0 {
            sleep(SECOND * 5).await;
        }
        Err(Status::unavailable("down"))
    });
    let policy = ContinueOnTransient::default().with_consecutive_limit(3);
    let poller = fake.started().error_policy(policy);
    let error = poller.until_done().await.unwrap_err();
    assert!(error.is_poll_failed());
    assert_eq!(fake.methods(), ["wait", "get", "get", "get", "get"]);
}

/// report:C2
#[tokio::test(start_paused = true)]
async fn a_path_that_lets_no_wait_through_is_polled() {
    let fake = Fake::new(|call| async move {
        match call.method {
            "wait" => Err(Status::unavailable("no route")),
            _ if call.at > SECOND * 600 => Ok(succeeded()),
            _ => Ok(running()),
        }
    });
    fake.started().until_done().await.unwrap();
    let waits = fake.methods().iter().filter(|it| **it == "wait").count();
    assert!(
        fake.calls().len() < 60 && waits <= 6,
        "{waits} waits, {} calls",
        fake.calls().len()
    );
}
