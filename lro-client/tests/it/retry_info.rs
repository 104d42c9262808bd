//! Errors with a `google.rpc.RetryInfo`, by which a server says that they pass.

use std::time::Duration;

use lro_client::{ContinueOnTransient, PollingErrorAction, PollingErrorPolicy, PollingState};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::support::{Fake, NAME, running, succeeded};

const SECOND: Duration = Duration::from_secs(1);

/// report:C1
#[tokio::test(start_paused = true)]
async fn with_a_retry_info_an_error_of_any_code_passes() {
    for code in (1..=15).map(Code::from) {
        let busy = || Err(with_retry_info(code, Some(SECOND * 7)));
        let fake = Fake::script(vec![busy(), Ok(running()), busy(), Ok(succeeded())]);
        fake.resumed().until_done().await.unwrap();
        let gaps = fake.gaps();
        assert_eq!((gaps[0], gaps[2]), (SECOND * 7, SECOND * 7), "{code:?}");
        // Without a delay, the poller's own pauses apply.
        let fake = Fake::script(vec![Err(with_retry_info(code, None)), Ok(succeeded())]);
        fake.resumed().until_done().await.unwrap();
        assert!(fake.gaps()[0] <= SECOND / 2 && fake.gaps()[0] >= SECOND / 4);
        // Without a RetryInfo, it is the server's last word as before.
        let others = [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::Unimplemented,
        ];
        if !others.contains(&code) {
            let fake = Fake::script(vec![Err(Status::new(code, "no")), Ok(succeeded())]);
            let error = fake.resumed().until_done().await.unwrap_err();
            assert_eq!(error.code(), code);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unauthenticated_is_never_retried() {
    let refused = || Err(with_retry_info(Code::Unauthenticated, Some(SECOND)));
    let fake = Fake::script(vec![refused(), Ok(succeeded())]);
    let error = fake.resumed().until_done().await.unwrap_err();
    assert_eq!(
        (error.code(), fake.calls().len()),
        (Code::Unauthenticated, 1)
    );
    let fake = Fake::script(vec![refused(), Ok(succeeded())]);
    let error = fake.client().get(NAME).await.unwrap_err();
    assert_eq!(
        (error.code(), fake.calls().len()),
        (Code::Unauthenticated, 1)
    );
}

fn with_retry_info(code: Code, delay: Option<Duration>) -> Status {
    Status::with_error_details(code, "busy", ErrorDetails::with_retry_info(delay))
}

/// report:C1
#[tokio::test(start_paused = true)]
async fn the_error_policy_sees_the_delay_and_has_the_last_word() {
    struct Impatient;
    impl PollingErrorPolicy for Impatient {
        fn on_error(&self, state: &PollingState, error: &Status) -> PollingErrorAction {
            match state.retry_delay {
                Some(delay) if delay <= SECOND * 10 => PollingErrorAction::Continue,
                _ if error.code() == Code::Unavailable => PollingErrorAction::Continue,
                _ => PollingErrorAction::Stop,
            }
        }
    }
    let busy = |seconds| {
        Err(with_retry_info(
            Code::ResourceExhausted,
            Some(SECOND * seconds),
        ))
    };
    let fake = Fake::script(vec![busy(10), Err(Status::unavailable("")), busy(11)]);
    let poller = fake.resumed().error_policy(Impatient);
    let error = poller.until_done().await.unwrap_err();
    assert!(error.is_poll_failed());
    assert_eq!((error.code(), error.polls()), (Code::ResourceExhausted, 3));
    assert_eq!(fake.gaps()[0], SECOND * 10);
    // The usual one has a limit for them, as for all errors.
    let limited = ContinueOnTransient::default().with_consecutive_limit(2);
    let fake = Fake::script(vec![busy(1)]);
    let poller = fake.resumed().error_policy(limited);
    let error = poller.until_done().await.unwrap_err();
    assert_eq!(error.polls(), 3);
}

/// report:C1
#[tokio::test(start_paused = true)]
async fn watching_continues_after_a_retry_info_too() {
    let busy = Err(with_retry_info(Code::Aborted, Some(SECOND * 5)));
    let fake = Fake::script(vec![Ok(running()), busy, Ok(succeeded())]);
    fake.resumed().until_done_with(|_| {}).await.unwrap();
    assert_eq!(fake.methods(), ["get"; 3]);
    assert_eq!(fake.gaps()[1], SECOND * 5);
}

/// report:C1
#[tokio::test(start_paused = true)]
async fn single_calls_heed_a_retry_info_as_far_as_their_pauses_go() {
    let busy = |seconds| Err(with_retry_info(Code::Internal, Some(SECOND * seconds)));
    let fake = Fake::script(vec![busy(4), Ok(succeeded())]);
    fake.client().get(NAME).await.unwrap();
    assert_eq!(fake.gaps(), [SECOND * 4]);
    let fake = Fake::script(vec![busy(11), Ok(succeeded())]);
    let error = fake.client().cancel(NAME).await.unwrap_err();
    assert_eq!((error.code(), fake.calls().len()), (Code::Internal, 1));
    let fake = Fake::script(vec![busy(1)]);
    fake.client().get(NAME).await.unwrap_err();
    assert_eq!(fake.calls().len(), 5);
}
