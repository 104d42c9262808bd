use lro_core::inspection::operation_record::State;
use lro_core::inspection::{OperationRecord, Waiting};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn wire(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(at(seconds).into())
}

fn attempt(number: i64, begin: i64, end: Option<i64>, outcome: Outcome) -> Attempt {
    Attempt {
        number,
        begin_time: wire(begin),
        end_time: end.and_then(wire),
        outcome: outcome.into(),
        ..Attempt::default()
    }
}

fn shown(record: OperationRecord, now: i64) -> Vec<(Kind, u64)> {
    let (_, record) = Record::split(record);
    let parts = parts(&record, at(now));
    assert!(places(&parts).iter().all(|(x, width)| x + width <= WIDTH));
    let parts = parts.iter();
    parts.map(|it| (it.kind, it.length.as_secs())).collect()
}

#[test]
fn a_life_is_drawn_to_scale() {
    let record = OperationRecord {
        create_time: wire(100),
        start_time: wire(110),
        cancel_time: wire(150),
        attempts: vec![attempt(1, 110, None, Outcome::Running)],
        ..OperationRecord::default()
    };
    let (_, split) = Record::split(record.clone());
    let places = places(&parts(&split, at(200)));
    assert_eq!(
        shown(record, 200),
        [
            (Kind::Queue, 10),
            (Kind::Run(Outcome::Running), 40),
            (Kind::Stopping, 50)
        ]
    );
    let (last, width) = places[2];
    assert!((WIDTH - 3..=WIDTH).contains(&(last + width)));
    assert!(width > places[1].1 && places[1].1 > 3 * places[0].1);
}

#[test]
fn attempts_and_pauses_follow_each_other() {
    let record = OperationRecord {
        create_time: wire(100),
        ready_time: wire(400),
        start_time: wire(105),
        attempts: vec![
            attempt(1, 105, Some(136), Outcome::WorkerLost),
            attempt(2, 141, Some(200), Outcome::Retried),
        ],
        ..OperationRecord::default()
    };
    assert_eq!(
        shown(record, 230),
        [
            (Kind::Queue, 5),
            (Kind::Run(Outcome::WorkerLost), 31),
            (Kind::Pause, 5),
            (Kind::Run(Outcome::Retried), 59),
            (Kind::Pause, 30),
        ]
    );
}

#[test]
fn attempts_that_the_record_has_forgotten_are_one_part() {
    let record = OperationRecord {
        create_time: wire(100),
        start_time: wire(100),
        end_time: wire(300),
        attempts: vec![attempt(12, 250, Some(300), Outcome::Failed)],
        ..OperationRecord::default()
    };
    assert_eq!(
        shown(record, 900),
        [
            (Kind::Run(Outcome::Unspecified), 150),
            (Kind::Run(Outcome::Failed), 50),
        ]
    );
}

#[test]
fn a_scheduled_operation_has_not_begun() {
    let record = OperationRecord {
        create_time: wire(100),
        ready_time: wire(400),
        ..OperationRecord::default()
    };
    assert_eq!(shown(record.clone(), 150), [(Kind::Scheduled, 50)]);
    assert_eq!(
        shown(record, 500),
        [(Kind::Scheduled, 300), (Kind::Queue, 100)]
    );
}

#[test]
fn a_pause_is_drawn_up_to_now() {
    let waiting = |cause: Cause| Waiting {
        cause: cause.into(),
        ..Waiting::default()
    };
    let record = |cause, ready| OperationRecord {
        state: State::Pending.into(),
        create_time: wire(100),
        start_time: wire(100),
        update_time: wire(120),
        ready_time: wire(ready),
        waiting: Some(waiting(cause)),
        ..OperationRecord::default()
    };
    let ran = (Kind::Run(Outcome::Unspecified), 20);
    assert_eq!(
        shown(record(Cause::Blocked, 720), 150),
        [ran, (Kind::Blocked, 30)]
    );
    let never = OperationRecord {
        ready_time: Some(lro_core::store::OperationRecord::NEVER_READY.into()),
        ..record(Cause::Suspended, 0)
    };
    assert_eq!(shown(never, 150), [ran, (Kind::Waiting, 30)]);
    let retried = OperationRecord {
        attempts: vec![attempt(1, 100, Some(120), Outcome::Retried)],
        ..record(Cause::NoWorker, 130)
    };
    assert_eq!(
        shown(retried, 150),
        [
            (Kind::Run(Outcome::Retried), 20),
            (Kind::Pause, 10),
            (Kind::Queue, 20)
        ]
    );
}

#[test]
fn odd_times_of_a_server_do_not_break_the_drawing() {
    let record = OperationRecord {
        create_time: wire(500),
        start_time: wire(400),
        end_time: wire(100),
        attempts: vec![attempt(1, 900, Some(2), Outcome::Succeeded); 40],
        ..OperationRecord::default()
    };
    shown(record, 0);
}
