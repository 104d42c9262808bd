//! Runs on histories.

use std::time::Duration;

use lro_server::testing::{self, History};
use lro_server::{HandlerError, OperationContext};
use tonic::{Code, Status};

async fn never() -> Result<(), Status> {
    panic!("no closure runs in a replay")
}

async fn publish(operation: OperationContext<()>) -> Result<String, HandlerError> {
    operation.step("ocr", never).await?;
    let (left, right) = (operation.scope("left"), operation.scope("right"));
    tokio::try_join!(left.step("copy", never), right.step("copy", never))?;
    operation.sleep("settle", Duration::from_secs(60)).await?;
    match operation.promise::<bool>("approved").await {
        Ok(true) => Ok(format!("{:?}", operation.time().as_micros())),
        Ok(false) => Err(HandlerError::retry(Status::unavailable("not yet"))),
        Err(error) => Err(error.into()),
    }
}

fn copied() -> History {
    History::of("operations/1")
        .at("2027-01-01T00:00:00Z")
        .step("ocr", &())
        .step("left/copy", &())
        .side_by_side()
        .step("right/copy", &())
        .side_by_side()
}

fn settled() -> History {
    copied().at("2027-01-01T00:01:00Z").sleep("settle")
}

#[test]
fn a_run_stops_at_what_is_not_recorded() {
    let run = testing::replay(History::of("operations/1"), publish);
    assert_eq!(run.begun(), ["ocr"]);
    assert!(run.is_waiting_for("ocr"));
    assert!(run.outcome().is_none());

    let run = testing::replay(History::of("operations/1").step("ocr", &()), publish);
    assert_eq!(run.begun(), ["left/copy", "right/copy"]);
    assert!(run.is_waiting_for("left/copy") && run.is_waiting_for("right/copy"));
    assert!(!run.is_waiting_for("ocr"));

    let run = testing::replay(settled(), publish);
    assert_eq!(run.begun(), ["approved"]);
    assert!(run.is_waiting_for("approved"));
    assert_eq!((run.blocked(), run.unreached().len()), (None, 0));
}

#[test]
fn a_recorded_wait_lasts_until_its_time() {
    let asleep = || copied().sleeping("settle", "2027-01-01T00:01:00Z");
    let run = testing::replay(asleep().at("2027-01-01T00:00:59Z"), publish);
    assert!(run.is_waiting_for("settle"));
    assert_eq!(run.begun(), [""; 0]);
    let run = testing::replay(asleep().at("2027-01-01T00:01:00Z"), publish);
    assert_eq!(run.begun(), ["approved"]);
}

#[test]
fn a_run_to_the_end_has_an_outcome() {
    let approved = settled()
        .at("2027-01-01T00:02:00Z")
        .promise("approved", &true);
    let run = testing::replay(approved, publish);
    assert_eq!(run.outcome().unwrap().unwrap(), "1798761720000000");

    let run = testing::replay(settled().promise("approved", &false), publish);
    assert!(run.outcome().is_none());
    assert_eq!(run.retried().unwrap().code(), Code::Unavailable);

    let failed = History::of("operations/1").failed("ocr", &Status::not_found("no such page"));
    let run = testing::replay(failed, publish);
    let error = run.outcome().unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::NotFound, "no such page")
    );
}

#[test]
fn a_step_that_was_interrupted_fails() {
    let body =
        async |operation: OperationContext<()>| operation.step("mail", never).at_most_once().await;
    let history = History::of("operations/1").begun("mail");
    let run = testing::replay(
        history,
        move |operation| async move { body(operation).await },
    );
    assert_eq!(run.outcome().unwrap().unwrap_err().code(), Code::Aborted);
}

/// steps:S13, steps:S14
#[test]
fn code_that_does_not_fit_is_blocked() {
    let run = testing::replay(History::of("operations/1").sleep("ocr"), publish);
    assert!(
        run.blocked().unwrap().contains("was recorded as a sleep"),
        "{run:?}"
    );

    let run = testing::replay(History::of("operations/1").step("scan", &()), publish);
    let blocked = run.blocked().unwrap();
    assert!(
        blocked.contains("`ocr` is new, but `scan` was recorded"),
        "{run:?}"
    );
    assert_eq!(run.unreached(), ["scan"]);
}

#[test]
fn a_body_that_returns_early_leaves_calls_unreached() {
    let history = settled()
        .at("2027-01-01T00:02:00Z")
        .promise("approved", &true);
    let body = async |operation: OperationContext<()>| operation.step("ocr", never).await;
    let run = testing::replay(
        history,
        move |operation| async move { body(operation).await },
    );
    assert_eq!(
        run.unreached(),
        ["approved", "left/copy", "right/copy", "settle"]
    );
}

#[test]
fn a_checkpoint_is_restored() {
    let body = async |operation: OperationContext<()>| operation.restore::<u32>();
    let history = History::of("operations/1")
        .checkpoint(&7_u32)
        .step("old", &());
    let run = testing::replay(history, move |operation| async move {
        body(operation).await.map(Option::unwrap_or_default)
    });
    assert_eq!(run.outcome().unwrap().unwrap(), 7);
}

#[test]
#[should_panic(expected = "is no time such as")]
fn a_malformed_time_is_a_mistake() {
    let _ = History::of("operations/1").at("yesterday");
}
