use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::pack;
use crate::store::{Actor, Change, Command, NewOperation, OnCrash, OperationOutcome, WorkerId};

fn pending() -> OperationRecord {
    let name = "operations/1".parse().unwrap();
    let new = NewOperation::new(Uuid::nil(), name, "/s/M", pack(&()));
    OperationRecord::new(new, at(0))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn worker(number: u128) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(number))
}

fn claim(number: u128) -> Command {
    Command::Claim {
        worker: worker(number),
        lease_duration: Duration::from_secs(30),
    }
}

fn finish(fence: u64, outcome: OperationOutcome) -> Command {
    Command::Finish {
        fence,
        outcome,
        metadata: None,
    }
}

fn retry(fence: u64, message: &str) -> Command {
    Command::Retry {
        fence,
        error: Status {
            code: 14,
            message: message.to_owned(),
            details: vec![pack(&())],
        },
        delay: Duration::ZERO,
        metadata: None,
    }
}

fn release(fence: u64) -> Command {
    Command::Release {
        fence,
        metadata: None,
    }
}

/// Fence, worker, begin and end in seconds, outcome.
type Short = (u64, Option<u128>, Option<i64>, Option<i64>, &'static str);

fn short(record: &OperationRecord) -> Vec<Short> {
    let attempts = record.attempts().into_iter().map(|it| {
        let seconds = |time: Timestamp| time.as_micros() / 1_000_000;
        let worker = it.worker.map(|it| it.as_uuid().as_u128());
        let (begin, end) = (it.begin_time.map(seconds), it.end_time.map(seconds));
        (it.fence, worker, begin, end, it.outcome.as_str())
    });
    attempts.collect()
}

#[test]
fn an_operation_that_runs_once_keeps_no_history() {
    let mut record = pending();
    assert_eq!(short(&record), []);
    record.apply(claim(7), at(1)).unwrap();
    assert_eq!(short(&record), [(1, Some(7), Some(1), None, "RUNNING")]);
    record.apply(Command::cancel(), at(2)).unwrap();
    assert_eq!(short(&record), [(1, Some(7), Some(1), None, "RUNNING")]);
    record
        .apply(finish(1, OperationOutcome::Cancelled), at(3))
        .unwrap();
    assert_eq!(
        short(&record),
        [(1, Some(7), Some(1), Some(3), "CANCELLED")]
    );
    assert_eq!(record.history.encode(), None);
    assert_eq!((record.lease, record.attempt_time), (None, None));
}

#[test]
fn every_end_of_an_attempt_is_kept_with_its_worker_and_times() {
    let mut record = pending();
    record.apply(claim(1), at(1)).unwrap();
    record.apply(retry(1, "busy"), at(2)).unwrap();
    record.apply(claim(2), at(3)).unwrap();
    record.apply(release(2), at(4)).unwrap();
    record.apply(claim(3), at(5)).unwrap();
    record.apply(Command::Expire, at(6)).unwrap();
    let mut wanted = vec![
        (1, Some(1), Some(1), Some(2), "RETRIED"),
        (2, Some(2), Some(3), Some(4), "RELEASED"),
        (3, Some(3), Some(5), Some(6), "WORKER_LOST"),
    ];
    assert_eq!(short(&record), wanted);
    assert_eq!((record.worker, record.attempt_time), (None, None));
    let AttemptOutcome::Retried(error) = &record.history.attempts[0].outcome else {
        panic!("{:?}", record.history);
    };
    assert_eq!((error.code, &*error.message), (14, "busy"));
    assert!(error.details.is_empty());

    record.apply(claim(4), at(7)).unwrap();
    let end = finish(4, OperationOutcome::Response(pack(&())));
    record.apply(end, at(8)).unwrap();
    wanted.push((4, Some(4), Some(7), Some(8), "SUCCEEDED"));
    assert_eq!(short(&record), wanted);
    assert_eq!(record.history.attempts.len(), 3, "the last one is derived");
    assert_eq!(
        record.public_part().attempts(),
        record.attempts(),
        "lists show them"
    );
}

#[test]
fn the_attempt_that_ends_an_operation_appears_once() {
    let last = |commands: &[Command]| {
        let mut record = pending();
        record.policy.max_attempts = 1;
        record.policy.on_crash = OnCrash::Abort;
        for (second, command) in (1..).zip(commands) {
            record.apply(command.clone(), at(second)).unwrap();
        }
        assert!(record.state.is_done());
        let attempts = short(&record);
        attempts.into_iter().map(|it| it.4).collect::<Vec<_>>()
    };
    let failure = OperationOutcome::Error(Status {
        code: 3,
        ..Status::default()
    });
    assert_eq!(last(&[claim(1), finish(1, failure)]), ["FAILED"]);
    assert_eq!(last(&[claim(1), retry(1, "no attempt left")]), ["FAILED"]);
    assert_eq!(last(&[claim(1), Command::Expire]), ["WORKER_LOST"]);
    assert_eq!(last(&[Command::cancel()]), [""; 0]);
    let cancelled = [claim(1), Command::cancel()];
    for (end, outcome) in [
        (release(1), "CANCELLED"),
        (retry(1, "stopped"), "CANCELLED"),
        (Command::Expire, "WORKER_LOST"),
    ] {
        let commands: Vec<_> = cancelled.iter().cloned().chain([end]).collect();
        assert_eq!(last(&commands), [outcome]);
    }
    let waited = [claim(1), release(1), Command::cancel()];
    assert_eq!(last(&waited), ["RELEASED"]);
}

#[test]
fn the_last_ten_attempts_are_kept() {
    let mut record = pending();
    for fence in 1..=25 {
        record.apply(claim(1), at(fence)).unwrap();
        let fence = fence.cast_unsigned();
        let fences: Vec<_> = record.attempts().iter().map(|it| it.fence).collect();
        let wanted: Vec<_> = (fence.saturating_sub(9).max(1)..=fence).collect();
        assert_eq!(fences, wanted);
        record.apply(release(fence), at(0)).unwrap();
        assert!(record.history.attempts.len() <= History::MAX_ATTEMPTS);
    }
    assert_eq!(record.attempts().len(), 10);
    // A clock that was set back: times of an operation do not go back.
    let attempts = record.attempts();
    assert!(attempts.iter().all(|it| it.begin_time <= it.end_time));
}

#[test]
fn a_long_message_of_a_retry_is_cut_at_a_character() {
    let mut record = pending();
    record.apply(claim(1), at(1)).unwrap();
    let message = format!("a{}", "\u{e9}".repeat(400));
    record.apply(retry(1, &message), at(2)).unwrap();
    let AttemptOutcome::Retried(error) = &record.history.attempts[0].outcome else {
        panic!("{:?}", record.history);
    };
    assert_eq!(error.message.len(), History::MAX_MESSAGE_LEN - 1);
    assert!(message.starts_with(&error.message));
}

/// Files of versions before hold no worker, no begin of later attempts, no history.
#[test]
fn records_of_versions_before_show_what_is_known() {
    let mut record = pending();
    record.apply(claim(1), at(1)).unwrap();
    record.apply(Command::Expire, at(2)).unwrap();
    record.history = History::default();
    assert_eq!(short(&record), []);
    let mut cancelled = record.clone();
    cancelled.apply(Command::cancel(), at(3)).unwrap();
    assert_eq!(short(&cancelled), [], "it was cancelled while it waited");

    record.apply(claim(2), at(3)).unwrap();
    record.attempt_time = None;
    assert_eq!(short(&record), [(2, Some(2), None, None, "RUNNING")]);
    let end = finish(2, OperationOutcome::Response(pack(&())));
    record.apply(end, at(4)).unwrap();
    record.worker = None;
    assert_eq!(short(&record), [(2, None, None, Some(4), "SUCCEEDED")]);
    record.fence = 1;
    assert_eq!(short(&record), [(1, None, Some(1), Some(4), "SUCCEEDED")]);
}

#[test]
fn the_first_who_cancels_stays() {
    let actor = |principal: &str, reason: &str| Actor {
        principal: principal.to_owned(),
        reason: reason.to_owned(),
    };
    let (ada, bob) = (actor("ada", "too slow"), actor("bob", ""));
    let mut record = pending();
    record.apply(claim(1), at(1)).unwrap();
    record.apply(Command::Cancel(ada.clone()), at(2)).unwrap();
    let again = record.apply(Command::Cancel(bob.clone()), at(3));
    assert_eq!(again, Ok(Change::Nothing));
    record.apply(Command::Delete(bob.clone()), at(4)).unwrap();
    assert_eq!(record.history.cancelled_by, Some(ada.clone()));
    assert_eq!(record.history.deleted_by, Some(bob.clone()));
    assert!(
        record.apply(Command::Delete(ada.clone()), at(5)).is_err(),
        "the second deletion"
    );
    assert_eq!(record.history.deleted_by, Some(bob));

    let mut waiting = pending();
    waiting.apply(Command::Cancel(ada.clone()), at(1)).unwrap();
    assert_eq!(waiting.history.cancelled_by, Some(ada.clone()));

    let mut unknown = pending();
    unknown.apply(claim(1), at(1)).unwrap();
    unknown.apply(Command::cancel(), at(2)).unwrap();
    unknown.apply(Command::Cancel(ada), at(3)).unwrap();
    assert_eq!(unknown.history, History::default());
}
