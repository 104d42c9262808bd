//! How a poller waits for an operation: on the server, by polling, and through errors.

use std::time::Duration;

use lro_client::{ContinueOnTransient, ExponentialBackoff};
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};

use crate::support;
use crate::support::{Fake, response, running, succeeded};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn waits_on_the_server_and_is_answered_immediately() {
    let fake = Fake::new(|call| async move {
        sleep(call.wait.min(SECOND * 150 - call.at)).await;
        Ok(if call.at + call.wait >= SECOND * 150 {
            succeeded()
        } else {
            running()
        })
    });
    assert_eq!(fake.started().until_done().await.unwrap(), response());
    assert_eq!(fake.methods(), ["wait"; 3]);
    assert_eq!(fake.gaps(), [SECOND * 60; 2]);
    let call = &fake.calls()[0];
    assert_eq!((call.wait, &*call.timeout), (SECOND * 60, "70000000u"));
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_done_is_not_asked_for() {
    let fake = Fake::script(vec![Err(Status::internal("asked"))]);
    let operation = lro_client::Operation::from(succeeded());
    let poller: support::TestPoller =
        lro_client::IntoPoller::into_poller(tonic::Response::new(operation), &fake.client());
    assert_eq!(poller.await.unwrap(), response());
    assert!(fake.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn waits_that_are_answered_too_early_come_further_and_further_apart() {
    let fake = Fake::new(|call| async move {
        Ok(if call.at > SECOND * 600 {
            succeeded()
        } else {
            running()
        })
    });
    fake.started().until_done().await.unwrap();
    let gaps = fake.gaps();
    assert!(gaps[0] >= Duration::from_millis(100) && gaps[0] <= Duration::from_millis(200));
    assert!(gaps.iter().all(|gap| *gap <= SECOND * 10));
    assert!(gaps.len() < 150, "{} calls", gaps.len());
    assert!(fake.methods().iter().all(|method| *method == "wait"));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_wait_is_polled_and_remembered() {
    let fake = Fake::new(|call| async move {
        match (call.method, call.at > SECOND * 300) {
            ("wait", _) => Err(Status::unimplemented("no such method")),
            (_, false) => Ok(running()),
            (_, true) => Ok(succeeded()),
        }
    });
    let client = fake.client();
    let poller = |client| support::TestPoller::resume(support::NAME, client);
    poller(&client).until_done().await.unwrap();
    let methods = fake.methods();
    assert_eq!(methods[..3], ["wait", "get", "get"]);
    assert_eq!(
        methods.iter().filter(|method| **method == "wait").count(),
        1
    );
    let gaps = fake.gaps();
    assert_eq!(gaps[0], Duration::ZERO);
    for (index, gap) in gaps[1..].iter().enumerate() {
        let full = (SECOND * 2_u32.pow(index as u32)).min(SECOND * 60);
        assert!(
            *gap >= full / 2 && *gap <= full + SECOND / 100,
            "{gap:?} of {full:?}"
        );
    }
    // Clones share the knowledge of one client, also older clones.
    let before = fake.calls().len();
    poller(&client.clone()).until_done().await.unwrap();
    assert_eq!(fake.methods()[before..], ["get"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_on_the_server_can_be_switched_off() {
    let fake = Fake::script(vec![Ok(running()), Ok(succeeded())]);
    let client = fake.client().without_wait_operation();
    let poller = support::TestPoller::resume(support::NAME, &client);
    poller.until_done().await.unwrap();
    assert_eq!(fake.methods(), ["get", "get"]);
    assert!(fake.gaps()[0] >= SECOND / 2, "{:?}", fake.gaps());
}

#[tokio::test(start_paused = true)]
async fn the_pace_of_polling_is_the_policys() {
    let fake = Fake::new(|call| async move {
        match call.method {
            "wait" => Err(Status::unimplemented("")),
            _ if call.index == 4 => Ok(succeeded()),
            _ => Ok(running()),
        }
    });
    let steady = ExponentialBackoff::new(SECOND * 7, SECOND * 7).with_jitter(0.0);
    let poller = fake.started().backoff_policy(steady);
    poller.until_done().await.unwrap();
    assert_eq!(
        fake.gaps(),
        [Duration::ZERO, SECOND * 7, SECOND * 7, SECOND * 7]
    );
}

#[tokio::test(start_paused = true)]
async fn errors_that_pass_are_sat_out() {
    let fake = Fake::new(|call| async move {
        match call.index {
            0..20 => Err(Status::unavailable("restarting")),
            20 => Ok(running()),
            21..40 => Err(Status::unavailable("again")),
            _ => Ok(succeeded()),
        }
    });
    fake.resumed().until_done().await.unwrap();
    let gaps = fake.gaps();
    for (index, gap) in gaps[..20].iter().enumerate() {
        let full = (SECOND / 2 * 2_u32.pow(index.min(8) as u32)).min(SECOND * 10);
        assert!(
            *gap >= full / 2 && *gap <= full + SECOND / 100,
            "{gap:?} of {full:?}"
        );
    }
    // The pauses begin anew after an answer.
    assert!(gaps[21] <= SECOND, "{:?}", gaps[21]);
}

#[tokio::test(start_paused = true)]
async fn other_errors_end_the_wait_and_give_the_poller_back() {
    for code in [
        Code::PermissionDenied,
        Code::Internal,
        Code::Unknown,
        Code::Cancelled,
    ] {
        let refusal = Err(Status::new(code, "no"));
        let fake = Fake::script(vec![Ok(running()), refusal, Ok(succeeded())]);
        let error = fake.started().until_done().await.unwrap_err();
        assert!(error.is_poll_failed() && !error.is_cancelled() && !error.is_failed());
        assert_eq!((error.code(), error.polls()), (code, 2));
        assert_eq!(error.call_status().unwrap().message(), "no");
        // report:W6
        assert!(error.to_string().ends_with(": no"), "{error}");
        assert!(std::error::Error::source(&error).is_none());
        assert_eq!(error.into_poller().unwrap().await.unwrap(), response());
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_policy_counts_errors_in_a_row() {
    let fake = Fake::script(vec![Err(Status::unavailable("down"))]);
    let policy = ContinueOnTransient::default().with_consecutive_limit(3);
    let poller = fake.started().error_policy(policy);
    let error = poller.until_done().await.unwrap_err();
    assert!(error.is_poll_failed());
    assert_eq!(fake.calls().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_server_can_ask_for_a_longer_pause() {
    use tonic_types::{ErrorDetails, StatusExt as _};
    let busy = |seconds| {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(seconds)));
        Err(Status::with_error_details(
            Code::Unavailable,
            "busy",
            details,
        ))
    };
    let fake = Fake::script(vec![busy(20), busy(100_000), busy(0), Ok(succeeded())]);
    fake.started().until_done().await.unwrap();
    let gaps = fake.gaps();
    assert_eq!(gaps[..2], [SECOND * 20, SECOND * 60]);
    assert!(gaps[2] >= SECOND && gaps[2] <= SECOND * 2, "{:?}", gaps[2]);
}

#[tokio::test(start_paused = true)]
async fn an_operation_just_started_may_be_found_late() {
    let absent = || Err(Status::not_found("no such operation"));
    let late = vec![absent(), absent(), absent(), Ok(succeeded())];
    let fake = Fake::script(late.clone());
    fake.started().until_done().await.unwrap();
    assert!(fake.calls()[3].at <= SECOND * 4);

    // Not when it was started long ago, not for ever, and not when it was there before.
    let error = Fake::script(late).resumed().until_done().await.unwrap_err();
    assert_eq!((error.code(), error.polls()), (Code::NotFound, 1));
    let error = Fake::script(vec![absent()])
        .started()
        .until_done()
        .await
        .unwrap_err();
    assert_eq!((error.code(), error.polls()), (Code::NotFound, 4));
    let deleted = Fake::script(vec![Ok(running()), absent()]);
    let error = deleted.started().until_done().await.unwrap_err();
    assert_eq!((error.code(), error.polls()), (Code::NotFound, 2));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_cut_on_the_way_is_asked_again_in_shorter_pieces() {
    // A proxy that ends every call after 5 s.
    let fake = Fake::new(|call| async move {
        match call.method {
            "get" => Ok(running()),
            _ if call.at > SECOND * 100 => Ok(succeeded()),
            _ if call.wait < SECOND * 5 => {
                sleep(call.wait).await;
                Ok(running())
            }
            _ => {
                sleep(SECOND * 5).await;
                Err(Status::cancelled("Timeout expired"))
            }
        }
    });
    let began = Instant::now();
    fake.started().until_done().await.unwrap();
    assert!(began.elapsed() < SECOND * 110);
    let waits: Vec<_> = fake
        .calls()
        .iter()
        .map(|call| call.wait.as_millis())
        .collect();
    assert_eq!(waits[..5], [60_000, 0, 3_750, 3_750, 3_750]);
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_wait_never_answers_cannot_hide_the_end() {
    let fake = Fake::new(|call| async move {
        match call.method {
            "wait" => std::future::pending().await,
            _ => Ok(succeeded()),
        }
    });
    fake.started().until_done().await.unwrap();
    let calls = fake.calls();
    assert_eq!(fake.methods(), ["wait", "get"]);
    assert_eq!(calls[1].at, SECOND * 70);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_lasted_takes_the_pauses_back() {
    let fake = Fake::new(|call| async move {
        if call.index == 20 {
            sleep(call.wait).await;
        }
        Ok(if call.index < 23 {
            running()
        } else {
            succeeded()
        })
    });
    fake.started().until_done().await.unwrap();
    let gaps = fake.gaps();
    assert!(gaps[19] >= SECOND * 5, "{:?}", gaps[19]);
    assert_eq!(gaps[20], SECOND * 60);
    assert!(gaps[21] <= SECOND / 4, "{:?}", gaps[21]);
}
