//! Waiting answer by answer, without types.

use std::time::Duration;

use lro_client::{PollAnswer, Poller, PollerSet};
use tokio::time::sleep;
use tonic::{Code, Status};

use crate::support::{Fake, at_step, succeeded};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn each_answer_of_a_short_wait_is_handed_out() {
    let fake = Fake::new(|call| async move {
        if call.index == 2 {
            sleep(SECOND).await;
            return Ok(succeeded());
        }
        sleep(call.wait).await;
        Ok(at_step(call.index as i64))
    });
    let mut poller = fake.resumed().max_wait(SECOND * 10);
    let mut seconds = Vec::new();
    while !poller.operation().done() {
        assert!(matches!(
            poller.next_answer().await.unwrap(),
            PollAnswer::State
        ));
        if let Ok(Some(metadata)) = poller.metadata() {
            seconds.push(metadata.seconds);
        }
    }
    assert_eq!(seconds, [0, 1]);
    assert!(fake.calls().iter().all(|call| call.wait == SECOND * 10));
    assert_eq!(fake.gaps(), [SECOND * 10; 2]);
    // Without another call.
    poller.next_answer().await.unwrap();
    assert_eq!(fake.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_poll_is_handed_out_and_the_last_one_gives_the_poller_back() {
    let down = || Err(Status::unavailable("down"));
    let fake = Fake::script(vec![down(), Err(Status::internal("bug"))]);
    let mut poller = fake.resumed();
    let PollAnswer::Retry(status) = poller.next_answer().await.unwrap() else {
        panic!("the first poll failed");
    };
    assert_eq!(status.code(), Code::Unavailable);
    let error = poller.next_answer().await.unwrap_err();
    assert!(error.is_poll_failed());
    assert!(error.into_poller().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_server_without_wait_is_asked_at_the_pace_of_polls() {
    let fake = Fake::new(|call| async move {
        match call.method {
            "wait" => Err(Status::unimplemented("")),
            _ if call.index < 3 => Ok(at_step(1)),
            _ => Ok(succeeded()),
        }
    });
    let mut poller = fake.resumed().max_wait(SECOND);
    let mut answers = 0;
    while !poller.operation().done() {
        poller.next_answer().await.unwrap();
        answers += 1;
    }
    assert_eq!(
        (answers, fake.methods()),
        (3, vec!["wait", "get", "get", "get"])
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_ends_the_answers_and_not_the_operation() {
    let fake = Fake::new(|call| async move {
        sleep(call.wait).await;
        Ok(at_step(1))
    });
    let mut poller = fake.resumed().max_wait(SECOND * 2).time_limit(SECOND * 5);
    let error = loop {
        if let Err(error) = poller.next_answer().await {
            break error;
        }
    };
    assert!(error.is_timeout() && !error.is_failed());
}

#[tokio::test(start_paused = true)]
async fn a_set_hands_out_operations_whichever_their_result_is() {
    let fake = Fake::new(|call| async move {
        if call.name.ends_with("/absent") {
            return Err(Status::not_found("absent"));
        }
        let mut ended = succeeded();
        ended.name = call.name;
        Ok(ended)
    });
    // The types of nothing here.
    let mut set: PollerSet<(), ()> = PollerSet::new(&fake.client());
    for name in ["operations/a", "operations/absent"] {
        set.push(Poller::resume(name, &fake.client()));
    }
    let mut ends = Vec::new();
    while let Some((name, ended)) = set.next_operation().await {
        ends.push((name, ended.map(|it| it.done()).map_err(|it| it.code())));
    }
    ends.sort_by(|left, right| left.0.cmp(&right.0));
    assert_eq!(
        ends,
        [
            ("operations/a".to_owned(), Ok(true)),
            ("operations/absent".to_owned(), Err(Code::NotFound)),
        ]
    );
}
