//! Histories that are built, and those that were exported.

use std::time::Duration;

use lro_server::steps::Either;
use lro_server::testing::{self, History};
use lro_server::{HandlerError, OperationContext};
use proptest::prelude::*;
use tonic::{Code, Status};

use crate::history;
#[path = "../../../dev/fuzz/replay.rs"]
mod replay;

/// The export of an operation that waits.
const EXPORTED: &str = r#"{
  "name": "operations/42",
  "beginTime": "2027-01-01T09:00:00Z",
  "totalSize": 3,
  "checkpoint": {"@type": "type.googleapis.com/google.protobuf.UInt32Value", "value": 5},
  "steps": [
    {
      "key": "ocr", "sequence": "1", "kind": "STEP", "state": "DONE", "attempt": 1,
      "operationAttempt": "1", "sequential": true, "valueType": "google.protobuf.StringValue",
      "beginTime": "2027-01-01T09:00:01Z", "endTime": "2027-01-01T09:00:07Z",
      "value": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "the text"}
    },
    {
      "key": "mail", "sequence": "2", "kind": "STEP", "state": "FAILED", "attempt": 2,
      "operationAttempt": "1", "sequential": true,
      "beginTime": "2027-01-01T09:00:07Z", "endTime": "2027-01-01T09:00:09Z",
      "error": {"code": 9, "message": "the box is full", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "FULL", "domain": "mail"}
      ]}
    },
    {
      "key": "approved", "sequence": "4", "kind": "PROMISE", "state": "WAITING",
      "operationAttempt": "2", "sequential": true,
      "beginTime": "2027-01-01T09:00:10Z", "wakeTime": "2027-01-02T09:00:10Z"
    }
  ]
}"#;

async fn publish(operation: OperationContext<()>) -> Result<String, HandlerError> {
    let pages = operation.restore::<u32>()?;
    let never = async || Err::<String, _>(Status::internal("no closure runs in a replay"));
    let text = operation.step("ocr", never).await?;
    let mail = operation.step("mail", never).await.unwrap_err();
    let approved = operation.promise::<bool>("approved");
    let approved = approved.timeout(Duration::from_secs(1)).await?;
    let at = operation.time().as_micros() % 1_000_000_000_000 / 1_000_000;
    let mail = (mail.code(), mail.details().len() > 20);
    Ok(format!("{pages:?} {text} {mail:?} {approved} at {at}"))
}

#[test]
fn an_exported_history_is_replayed() {
    let history = History::from_json(EXPORTED, &[]).unwrap();
    assert_eq!(history.len(), 3);
    let run = testing::replay(history.clone(), publish);
    assert!(run.is_waiting_for("approved"), "{run:?}");
    assert_eq!((run.blocked(), run.begun()), (None, &[][..]));

    let approved = history.clone().at("2027-01-01T10:00:00Z");
    let run = testing::replay(approved.promise("approved", &true), publish);
    let ended = run.outcome().unwrap().unwrap();
    assert_eq!(
        ended,
        "Some(5) the text (FailedPrecondition, true) true at 797600"
    );

    // The timeout is the recorded one.
    let run = testing::replay(history.at("2027-01-02T09:00:10Z"), publish);
    assert_eq!(
        run.outcome().unwrap().unwrap_err().code(),
        Code::DeadlineExceeded
    );
}

#[test]
fn the_error_of_a_bad_history_names_the_place_and_what_to_do() {
    let with = |from: &str, to: &str| {
        assert!(EXPORTED.contains(from), "{from}");
        EXPORTED.replacen(from, to, 1)
    };
    let step = "\"sequence\": \"1\", \"kind\": \"STEP\"";
    for (json, told) in [
        ("no JSON".to_owned(), "no JSON of lro.v1.ListStepsResponse"),
        ("{}".to_owned(), "name: "),
        (with("operations/42", "two words"), "name: \"two words\""),
        (
            with("\"beginTime\": \"2027-01-01T09:00:00Z\",", ""),
            "beginTime: is missing",
        ),
        (
            with("\"totalSize\": 3", "\"totalSize\": 4"),
            "steps: there are 3 of 4",
        ),
        (
            with("\"totalSize\": 3", "\"nextPageToken\": \"x\""),
            "`lro steps NAME -o history`",
        ),
        (with("\"name\"", "\"nome\""), "nome"),
        (
            with("\"totalSize\": 3", "\"checkpointRedaction\": \"WITHHELD\""),
            "checkpoint: the server has redacted it",
        ),
        (
            with(
                "\"state\": \"DONE\"",
                "\"state\": \"DONE\", \"valueRedaction\": \"FIELDS_CLEARED\"",
            ),
            "steps[0] (`ocr`).value: the server has redacted it; export with `--unredacted`",
        ),
        (
            with(
                "google.protobuf.StringValue\", \"value\"",
                "shop.v1.Order\", \"value\"",
            ),
            "give the descriptor set that has it",
        ),
        (
            with(
                "\"value\": {\"@type\": \"type.googleapis.com/google.protobuf.StringValue\", \"value\": \"the text\"}",
                "\"valueBytes\": 10",
            ),
            "list with the view FULL",
        ),
        (with("\"ocr\"", "\"two words\""), "steps[0].key: "),
        (
            with("\"approved\"", "\"ocr\""),
            "steps[2].key: `ocr` is given twice",
        ),
        (with(step, "\"kind\": \"STEP\""), "steps[0].sequence"),
        (
            with(step, "\"sequence\": \"2\", \"kind\": \"STEP\""),
            "steps[1].sequence: 2 after 2",
        ),
        (with(step, "\"sequence\": \"1\""), "steps[0] (`ocr`).kind"),
        (
            with("\"state\": \"WAITING\",", ""),
            "steps[2] (`approved`).state",
        ),
        (
            with("\"attempt\": 1", "\"attempt\": -1"),
            "steps[0] (`ocr`).attempt",
        ),
        (
            with("\"endTime\": \"2027-01-01T09:00:07Z\",", ""),
            "steps[0] (`ocr`).endTime: is missing",
        ),
        (
            with(
                "09:00:07Z\",\n      \"value\"",
                "09:00:00Z\",\n      \"value\"",
            ),
            "is before the begin time",
        ),
        (
            with(
                "09:00:07Z\",\n      \"value\"",
                "19:00:07Z\",\n      \"value\"",
            ),
            "",
        ),
        (
            with(
                "\"beginTime\": \"2027-01-01T09:00:00Z\"",
                "\"beginTime\": \"2027-01-01T09:00:08Z\"",
            ),
            "its times do not fit",
        ),
        (
            EXPORTED
                .replace("09:00:01Z", "09:00:30Z")
                .replace("09:00:07Z\",\n", "09:00:40Z\",\n"),
            "the step `ocr`: its times do not fit",
        ),
        (with("\"code\": 9", "\"code\": 9, \"code\": 9"), "code"),
    ] {
        match History::from_json(&json, &[]) {
            Ok(_) => assert_eq!(told, "", "{json}"),
            Err(error) => assert!(
                !told.is_empty() && error.to_string().contains(told),
                "{told}: {error}"
            ),
        }
    }
    let error = History::from_json(EXPORTED, &[b"none"]).unwrap_err();
    assert!(
        error.to_string().starts_with("the descriptor sets: "),
        "{error}"
    );
}

#[test]
fn what_no_store_records_is_refused() {
    let large = "x".repeat(2 << 20);
    let error = History::from_json(&EXPORTED.replace("the text", &large), &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the step `ocr`: the value of a step has at most"),
        "{error}"
    );
}

async fn race(operation: OperationContext<()>) -> Result<u32, Status> {
    let answer = operation.promise::<u32>("answer");
    let patience = operation.sleep("patience", Duration::from_secs(60));
    match operation.first("race", answer, patience).await? {
        Either::Left(answer) => answer,
        Either::Right(_) => operation.promise::<u32>("late").await,
    }
}

#[test]
fn every_kind_of_wait_can_be_told() {
    let start = History::of("operations/1");
    let lost = start
        .clone()
        .first("race", "answer")
        .sleep("patience")
        .abandoned();
    let run = testing::replay(lost.promise("answer", &4_u32), race);
    assert_eq!(run.outcome().unwrap().unwrap(), 4);

    let error = Status::not_found("no such order");
    let run = testing::replay(start.clone().promise_failed("answer", &error), race);
    assert_eq!(run.outcome().unwrap().unwrap_err().code(), Code::NotFound);

    let waits = start
        .clone()
        .first("race", "patience")
        .asked("answer")
        .abandoned();
    let run = testing::replay(waits.sleep("patience").promise_timed_out("late"), race);
    let error = run.outcome().unwrap().unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);

    let until = "2027-01-01T01:00:00Z";
    let asked = start
        .asked_until("answer", until)
        .retrying("upload", &error, until);
    let body = |operation: OperationContext<()>| async move {
        let upload = operation.step("upload", async || Ok::<(), Status>(()));
        let (answer, uploaded) = tokio::join!(operation.promise::<u32>("answer"), upload);
        uploaded?;
        answer
    };
    let run = testing::replay(asked.clone(), body);
    assert!(
        run.is_waiting_for("answer") && run.is_waiting_for("upload"),
        "{run:?}"
    );
    let run = testing::replay(asked.at(until), body);
    assert!(run.is_waiting_for("upload"), "{run:?}");
}

async fn provision(operation: OperationContext<()>) -> Result<u32, HandlerError> {
    let saga = operation.saga();
    let never = async || Err::<u32, _>(Status::internal("no closure runs in a replay"));
    let undo = async |_: Option<u32>| Err::<(), _>(Status::internal("nor does an undo"));
    saga.run(async {
        let network = saga.step("network", never, undo).await?;
        let disk = saga.step("disk", never, undo).await?;
        Ok(network + disk)
    })
    .await
}

#[test]
fn a_saga_can_be_told_at_every_place() {
    let open = History::of("operations/1")
        .saga("saga")
        .step("network", &1_u32)
        .of_saga();
    let run = testing::replay(open.clone(), provision);
    assert_eq!(
        (run.begun(), run.blocked()),
        (&["disk".to_owned()][..], None)
    );

    let done = open.clone().step("disk", &2_u32).of_saga();
    let run = testing::replay(done.clone().saga_kept("saga"), provision);
    assert_eq!(run.outcome().unwrap().unwrap(), 3);

    let why = Status::failed_precondition("unhealthy");
    let undoing = done.undo("undo", &why).undone("disk");
    let run = testing::replay(undoing.clone(), provision);
    assert_eq!(run.begun(), ["undo/network"], "{run:?}");

    let run = testing::replay(
        undoing.undone("network").saga_undone("saga", &why),
        provision,
    );
    assert_eq!(run.outcome().unwrap().unwrap_err().message(), "unhealthy");
    assert_eq!(run.unreached(), [""; 0]);

    let failed = open
        .failed("disk", &why)
        .of_saga()
        .undo("undo", &why)
        .undone("disk")
        .undo_failed("network", &Status::internal("stuck"));
    let run = testing::replay(failed, provision);
    assert_eq!(run.outcome().unwrap().unwrap_err().message(), "unhealthy");
}

proptest! {
    #[test]
    fn any_text_is_a_history_or_not(
        at in any::<prop::sample::Index>(),
        length in 0..12_usize,
        text in "\\PC{0,12}|-?[0-9]{1,20}|\"[A-Z_]{0,12}\"|[{}\\[\\],:]{1,3}",
    ) {
        history::ask(text.as_bytes());
        let from = at.index(EXPORTED.len());
        let to = EXPORTED.len().min(from + length);
        let spliced = [&EXPORTED.as_bytes()[..from], text.as_bytes(), &EXPORTED.as_bytes()[to..]].concat();
        history::ask(&spliced);
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_hold() {
    assert!(replay::each("history", history::ask) > 0);
}
