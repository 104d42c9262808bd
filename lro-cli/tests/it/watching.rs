//! `lro watch` by the changes that the inspection service tells of, and without it.

use std::sync::Arc;

use lro_cli::exit::Exit;
use lro_core::inspection::operation_record::State;
use lro_core::inspection::{OperationRecord, WatchOperationsResponse};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tonic::Status;

use crate::support::fake::{Fake, Script, Step, Told};
use crate::support::inspected::record;
use crate::support::types::{failed, running, succeeded};
use crate::support::{Lro, Ran};

const NAME: &str = "operations/1";

fn three_answers() -> Script {
    let steps = [1, 2].map(|done| {
        let metadata = format!(r#"{{"tablesDone":{done},"tablesTotal":2}}"#);
        Step(Ok(running(NAME, &metadata)), None)
    });
    let done = Step(Ok(succeeded(NAME, "{}", r#"{"rows":"7"}"#)), None);
    let steps = steps.into_iter().chain([done]).collect();
    let mut script = Script::new().steps(NAME, steps);
    let record = record(State::Running, "Exporter/Export", "");
    script.records.insert(NAME.to_owned(), record);
    script
}

/// Another stream of changes.
fn told(script: &mut Script) -> UnboundedSender<Told> {
    let (sender, receiver) = unbounded_channel();
    script.watches.push_back(receiver);
    sender
}

fn changed(name: &str) -> Told {
    let operation = Some(running(name, "{}"));
    Ok(WatchOperationsResponse {
        operations: vec![OperationRecord {
            operation,
            ..Default::default()
        }],
        ..Default::default()
    })
}

/// The states that `-o ndjson` has told.
fn states(ran: &Ran) -> Vec<serde_json::Value> {
    let lines = ran.stdout.lines();
    let lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .map(|line| line["operation"]["metadata"]["tablesDone"].clone())
        .collect()
}

#[tokio::test]
async fn each_change_that_is_told_is_read_once() {
    let mut script = three_answers();
    let stream = told(&mut script);
    (0..3).for_each(|_| stream.send(changed(NAME)).unwrap());
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url);
    let ran = lro.run("watch operations/1 -o ndjson").await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert_eq!(states(&ran)[..2], [1, 2], "{ran:?}");
    let get = "get operations/1";
    assert_eq!(server.calls(), ["watch operations/1", get, get, get]);
}

#[tokio::test]
async fn a_stream_that_breaks_is_opened_again() {
    let mut script = three_answers();
    let (first, second) = (told(&mut script), told(&mut script));
    first.send(changed(NAME)).unwrap();
    first.send(Err(Status::unavailable("draining"))).unwrap();
    (0..2).for_each(|_| second.send(changed(NAME)).unwrap());
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url).variable("LRO_RETRY_ERRORS", "1");
    let ran = lro.run("watch operations/1").await;
    assert_eq!(
        (ran.exit, &*ran.stdout),
        (Exit::Done, "{\"rows\":\"7\"}\n"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("retrying after UNAVAILABLE"), "{ran:?}");
    let watch = "watch operations/1";
    let watches = server.calls().iter().filter(|it| *it == watch).count();
    assert_eq!(watches, 2, "{:?}", server.calls());
}

/// Without the permission, or when the stream is over: every server can be polled.
#[tokio::test]
async fn what_no_stream_tells_is_polled() {
    for has_stream in [false, true] {
        let mut script = three_answers();
        if has_stream {
            told(&mut script);
        }
        let server = Fake::start(script).await;
        let ran = Lro::to(&server.url).run("watch operations/1").await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        assert_eq!(ran.stdout, "{\"rows\":\"7\"}\n", "{ran:?}");
    }
}

#[tokio::test]
async fn an_operation_that_is_removed_ends_its_watch() {
    let mut script = three_answers();
    let stream = told(&mut script);
    let removed = WatchOperationsResponse {
        removed: vec!["operations/2".to_owned()],
        ..Default::default()
    };
    stream.send(Ok(removed)).unwrap();
    (0..3).for_each(|_| stream.send(changed(NAME)).unwrap());
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url);
    let ran = lro.run("watch operations/1 operations/2 -o name").await;
    assert_eq!(
        (ran.exit, &*ran.stdout),
        (Exit::NotFound, "operations/1\n"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn an_end_before_the_first_answer_has_no_duration() {
    let created = r#"{"createTime":"2026-11-28T19:40:00Z"}"#;
    let server = Fake::start(Script::new().operation(succeeded(NAME, created, "{}"))).await;
    let lro = Lro::to(&server.url);
    let ran = lro.run("wait operations/1").await;
    assert!(ran.stderr.ends_with("operations/1 SUCCEEDED\n"), "{ran:?}");
}

#[tokio::test]
async fn a_time_limit_says_what_is_known() {
    let absent = Step(Err(Status::not_found("not yet")), None);
    let mut script = Script::new()
        .operation(running(NAME, "{}"))
        .steps("operations/absent", vec![absent]);
    script.waits = false;
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url);
    for (words, exit, told) in [
        (
            "operations/1 --timeout 2s",
            Exit::TimedOut,
            "operations/1 still runs after 2s; nothing was cancelled\n\
             Continue: lro wait operations/1 --timeout 2s\n",
        ),
        (
            "operations/1 --timeout 2s --cancel-on-timeout",
            Exit::TimedOut,
            "asked the server to cancel operations/1\n\
             operations/1 still runs after 2s\n\
             Continue: lro wait operations/1 --timeout 2s --cancel-on-timeout\n",
        ),
        (
            "operations/absent --if-missing wait --timeout 2s",
            Exit::TimedOut,
            "there is no operation operations/absent after 2s\n\
             Continue: lro wait operations/absent --if-missing wait --timeout 2s\n",
        ),
    ] {
        let ran = lro.run(&format!("wait {words}")).await;
        assert_eq!(ran.exit, exit, "{ran:?}");
        assert!(ran.stderr.ends_with(told), "{ran:?}");
    }
    // A server that takes the connection and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lro = Lro::to(&format!("http://{}", silent.local_addr().unwrap()));
    let ran = lro.run("wait operations/1 --timeout 2s").await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    assert!(
        ran.stderr.contains("told nothing of operations/1"),
        "{ran:?}"
    );
}

/// A filter is checked before anything is waited for.
#[tokio::test]
async fn a_malformed_filter_of_until_is_refused_at_once() {
    let server = Fake::start(Script::new().operation(running(NAME, "{}"))).await;
    let lro = Lro::to(&server.url);
    for filter in ["metadata.tables_done >", "done = flase"] {
        let ran = lro
            .run(&format!("wait operations/1 --until '{filter}'"))
            .await;
        assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
        let told = "error: the filter cannot be evaluated\n";
        assert!(ran.stderr.starts_with(told), "{ran:?}");
    }
    assert!(server.calls().is_empty(), "{:?}", server.calls());
}

/// Several at once, and the output in the order of the input.
#[tokio::test]
async fn many_are_resubmitted_at_once() {
    let names = ["c", "a", "running", "b"].map(|id| format!("operations/{id}"));
    let mut script = Script::new();
    script.resubmits_at_once = Some(Arc::new(tokio::sync::Barrier::new(names.len())));
    for name in &names {
        script = script.operation(failed(name, "{}", 5, "", Vec::new()));
        let record = record(State::Failed, "Exporter/Export", "");
        script.records.insert(name.clone(), record);
    }
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url).stdin(&(names.join("\n") + "\n"));
    let ran = lro.run("resubmit -").await;
    assert_eq!(ran.exit, Exit::Refused, "{ran:?}");
    let again = ["c", "a", "b"].map(|id| format!("operations/{id}-again\n"));
    assert_eq!(ran.stdout, again.concat());
    assert!(
        ran.stderr.contains("cannot resubmit operations/running"),
        "{ran:?}"
    );
}
