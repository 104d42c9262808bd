//! A wait with a time limit: never longer, and to the last moment.

use std::time::Duration;

use lro_client::CallSettings;
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};

use crate::support::{Fake, NAME, TestPoller, response, running, succeeded};

const LIMIT: Duration = Duration::from_secs(30);
const LAST_POLL: Duration = Duration::from_millis(29_750);

async fn give_up(
    poller: TestPoller,
) -> (
    lro_client::WaitError<prost_types::Timestamp, prost_types::Duration>,
    Duration,
) {
    let began = Instant::now();
    let error = poller.time_limit(LIMIT).until_done().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert_eq!(error.elapsed(), began.elapsed());
    (error, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn the_last_wait_ends_within_the_limit() {
    let fake = Fake::new(|call| async move {
        sleep(call.wait).await;
        Ok(running())
    });
    let (error, elapsed) = give_up(fake.started()).await;
    assert_eq!((elapsed, error.polls()), (LAST_POLL, 1));
    assert_eq!(fake.calls()[0].timeout, "30000000u");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_cannot_exceed_the_limit() {
    let fake = Fake::new(|_| std::future::pending());
    let (error, elapsed) = give_up(fake.started()).await;
    assert_eq!((elapsed, error.polls()), (LIMIT, 1));
}

#[tokio::test(start_paused = true)]
async fn the_last_poll_comes_just_before_the_limit() {
    let fake = Fake::new(|call| async move {
        match call.method {
            "wait" => Err(Status::unimplemented("")),
            _ => Ok(running()),
        }
    });
    let (error, elapsed) = give_up(fake.started()).await;
    let last = fake.calls().pop().unwrap();
    // Up to the accuracy of tokio's timer.
    assert!(last.at >= LAST_POLL && last.at <= LAST_POLL + Duration::from_millis(2));
    assert!(elapsed <= LIMIT && elapsed >= LAST_POLL);
    let timeout: u32 = last.timeout.strip_suffix('u').unwrap().parse().unwrap();
    assert!((248_000..=250_000).contains(&timeout), "{timeout}");
    assert_eq!(
        error.to_string(),
        format!(
            "operation `operations/1` is not known to be done after {elapsed:.3?} and {} polls",
            error.polls()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_at_the_last_moment_is_seen() {
    let fake = Fake::new(|call| async move {
        match call.method {
            "wait" => Err(Status::unimplemented("")),
            _ if call.at >= LAST_POLL => Ok(succeeded()),
            _ => Ok(running()),
        }
    });
    let poller = fake.started().time_limit(LIMIT);
    assert_eq!(poller.until_done().await.unwrap(), response());
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_at_the_limit_with_its_cause() {
    let fake = Fake::script(vec![Err(Status::unavailable("down"))]);
    let (error, elapsed) = give_up(fake.resumed()).await;
    assert!(elapsed <= LIMIT);
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.downcast_ref::<Status>().unwrap().message(), "down");
}

#[tokio::test(start_paused = true)]
async fn a_poller_continues_after_a_timeout_with_the_whole_limit() {
    let fake = Fake::new(|call| async move {
        sleep(call.wait).await;
        Ok(if call.index < 3 {
            running()
        } else {
            succeeded()
        })
    });
    let mut poller = fake.started().time_limit(LIMIT);
    let mut tries = 0;
    let got = loop {
        tries += 1;
        match poller.until_done().await {
            Ok(got) => break got,
            Err(error) => poller = error.into_poller().unwrap(),
        }
    };
    assert_eq!((got, tries), (response(), 4));
}

#[tokio::test(start_paused = true)]
async fn the_shortest_limit_asks_once_and_the_longest_is_none() {
    let fake = Fake::script(vec![Ok(running())]);
    let poller = fake.started().time_limit(Duration::ZERO);
    assert!(poller.until_done().await.unwrap_err().is_timeout());
    assert_eq!(fake.methods(), ["get"]);

    let fake = Fake::script(vec![Ok(running()), Ok(running()), Ok(succeeded())]);
    let poller = fake.started().time_limit(Duration::MAX);
    assert_eq!(poller.until_done().await.unwrap(), response());
}

/// report:C5
#[tokio::test(start_paused = true)]
async fn no_call_has_a_time_limit_of_zero() {
    let limits = (0..40).map(|step| Duration::from_micros(250) * step);
    for limit in limits.chain([Duration::from_nanos(1), Duration::from_nanos(999_999)]) {
        let fake = Fake::new(|call| async move {
            match call.method {
                "wait" if call.wait < Duration::from_millis(3) => Err(Status::unimplemented("")),
                _ => Ok(running()),
            }
        });
        let error = fake.started().time_limit(limit).until_done().await;
        assert!(error.unwrap_err().is_timeout());
        let settings = CallSettings::default().timeout(limit);
        let client = fake.client().with_call_settings(settings);
        let _ = client.get(NAME).await;
        let _ = client.wait(NAME, limit).await;
        assert!(!fake.calls().is_empty());
        for call in fake.calls() {
            let digits = call
                .timeout
                .trim_end_matches(|unit: char| unit.is_alphabetic());
            let sent: u64 = digits.parse().unwrap();
            let nanos = match &call.timeout[digits.len()..] {
                "n" => sent,
                "u" => sent * 1_000,
                "m" => sent * 1_000_000,
                unit => panic!("a limit in {unit}"),
            };
            // Servers count in milliseconds.
            assert!(nanos >= 1_000_000, "{} at {limit:?}", call.timeout);
        }
    }
}

/// report:C5
#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_over_is_not_sent() {
    struct Slow;
    #[tonic::async_trait]
    impl lro_client::TokenProvider for Slow {
        async fn token(&self, _scopes: &[&str]) -> Result<String, Status> {
            sleep(Duration::from_millis(10)).await;
            Ok("token".into())
        }
    }
    let fake = Fake::script(vec![Ok(succeeded())]);
    let settings = CallSettings::default().timeout(Duration::from_millis(10));
    let client = fake.client().with_token_provider(Slow);
    let error = client.with_call_settings(settings).get(NAME).await;
    assert_eq!(error.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(fake.calls().is_empty());
}
