//! A wait with a time limit: never longer, and to the last moment.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Code, Status};

use crate::support::{Fake, TestPoller, response, running, succeeded};

const LIMIT: Duration = Duration::from_secs(30);
const LAST_POLL: Duration = Duration::from_millis(29_750);

async fn give_up(
    poller: TestPoller,
) -> (
    lro_client::WaitError<prost_types::Timestamp, prost_types::Duration>,
    Duration,
) {
    let began = Instant::now();
    let error = poller
        .with_time_limit(LIMIT)
        .until_done()
        .await
        .unwrap_err();
    assert!(error.is_gave_up(), "{error}");
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
    let poller = fake.started().with_time_limit(LIMIT);
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
async fn who_gave_up_can_go_on_with_the_whole_limit() {
    let fake = Fake::new(|call| async move {
        sleep(call.wait).await;
        Ok(if call.index < 3 {
            running()
        } else {
            succeeded()
        })
    });
    let mut poller = fake.started().with_time_limit(LIMIT);
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
    let poller = fake.started().with_time_limit(Duration::ZERO);
    assert!(poller.until_done().await.unwrap_err().is_gave_up());
    assert_eq!(fake.methods(), ["get"]);

    let fake = Fake::script(vec![Ok(running()), Ok(running()), Ok(succeeded())]);
    let poller = fake.started().with_time_limit(Duration::MAX);
    assert_eq!(poller.until_done().await.unwrap(), response());
}
