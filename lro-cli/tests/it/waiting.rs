//! Exit codes and endurance of `lro wait`: each a complaint about another tool.

use std::time::Duration;

use lro_cli::exit::Exit;
use lro_core::pb;
use tonic::{Code, Status};

use crate::support::Lro;
use crate::support::fake::{Fake, Script, Step};
use crate::support::types::{failed, running, succeeded};

const NAME: &str = "operations/1";

fn done() -> pb::Operation {
    succeeded(NAME, "{}", r#"{"rows":"1"}"#)
}

async fn waits(steps: Vec<Step>, words: &str) -> crate::support::Ran {
    let server = Fake::start(Script::new().steps(NAME, steps)).await;
    let lro = Lro::to(&server.url).variable("LRO_RETRY_ERRORS", "2");
    lro.run(words).await
}

fn broken(code: Code) -> Step {
    Step(Err(Status::new(code, "proxy error")), None)
}

#[tokio::test]
async fn a_wait_survives_errors_that_pass() {
    for code in [Code::Unavailable, Code::Internal, Code::Unknown] {
        let steps = vec![
            broken(code),
            Step(Ok(running(NAME, "{}")), None),
            broken(code),
            Step(Ok(done()), None),
        ];
        let ran = waits(steps, "wait operations/1").await;
        assert_eq!(
            (ran.exit, &*ran.stdout),
            (Exit::Done, "{\"rows\":\"1\"}\n"),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("retrying after"), "{ran:?}");
    }
}

#[tokio::test]
async fn what_could_not_be_found_out_is_not_a_failure() {
    let ran = waits(vec![broken(Code::Internal)], "wait operations/1").await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    assert!(
        ran.stderr.contains("this says nothing about the operation"),
        "{ran:?}"
    );
    // No server at all.
    let ran = Lro::to("http://127.0.0.1:1").run("wait operations/1").await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    assert!(
        ran.stderr.contains("cannot connect to 127.0.0.1:1"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn unauthenticated_is_asked_once() {
    for words in ["wait operations/1", "get operations/1", "list"] {
        let server =
            Fake::start(Script::new().steps(NAME, vec![broken(Code::Unauthenticated)])).await;
        let lro = Lro::to(&server.url).variable("LRO_RETRY_ERRORS", "5");
        if words == "list" {
            continue;
        }
        let ran = lro.run(words).await;
        assert_eq!(ran.exit, Exit::Denied, "{ran:?}");
        assert!(ran.stderr.contains("--token-command"), "{ran:?}");
        assert_eq!(server.calls().len(), 1, "{:?}", server.calls());
    }
}

#[tokio::test]
async fn a_wait_ends_at_any_end_and_the_code_says_which() {
    let failure = failed(NAME, "{}", 3, "wrong", Vec::new());
    let ran = waits(vec![Step(Ok(failure), None)], "wait operations/1").await;
    assert_eq!((ran.exit, &*ran.stdout), (Exit::Failed, ""), "{ran:?}");
    let cancelled = || Step(Ok(failed(NAME, "{}", 1, "", Vec::new())), None);
    let ran = waits(vec![cancelled()], "wait operations/1").await;
    assert_eq!(ran.exit, Exit::Cancelled, "{ran:?}");
    let ran = waits(vec![cancelled()], "wait operations/1 --until cancelled").await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let ran = waits(vec![Step(Ok(done()), None)], "wait operations/2").await;
    assert_eq!(ran.exit, Exit::NotFound, "{ran:?}");
}

#[tokio::test]
async fn a_server_without_wait_is_polled() {
    let mut script = Script::new().steps(
        NAME,
        vec![Step(Ok(running(NAME, "{}")), None), Step(Ok(done()), None)],
    );
    script.waits = false;
    let server = Fake::start(script).await;
    let ran = Lro::to(&server.url).run("wait operations/1").await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let calls = server.calls();
    assert_eq!(
        calls,
        ["wait operations/1", "get operations/1", "get operations/1"]
    );
}

#[tokio::test]
async fn an_operation_may_come_later() {
    let absent = || Step(Err(Status::not_found("not yet")), None);
    let steps = vec![absent(), absent(), Step(Ok(done()), None)];
    let ran = waits(steps, "wait operations/1 --if-missing wait").await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let ran = waits(
        vec![absent()],
        "wait operations/1 --if-missing wait --timeout 2s",
    )
    .await;
    assert_eq!(ran.exit, Exit::TimedOut, "{ran:?}");
}

#[tokio::test]
async fn the_worst_of_several_ends_decides() {
    let script = || {
        Script::new()
            .operation(succeeded("operations/ok", "{}", "{}"))
            .operation(failed("operations/bad", "{}", 5, "", Vec::new()))
            .operation(failed("operations/cancelled", "{}", 1, "", Vec::new()))
            .steps("operations/broken", vec![broken(Code::Internal)])
            .steps("operations/secret", vec![broken(Code::PermissionDenied)])
    };
    let server = Fake::start(script()).await;
    let lro = Lro::to(&server.url);
    for (names, exit) in [
        ("ok", Exit::Done),
        ("ok cancelled", Exit::Cancelled),
        ("cancelled bad", Exit::Failed),
        ("bad absent", Exit::NotFound),
        ("absent bad broken", Exit::Unknown),
        ("broken secret ok", Exit::Denied),
    ] {
        let names: Vec<String> = names
            .split(' ')
            .map(|it| format!("operations/{it}"))
            .collect();
        let ran = lro.run(&format!("wait {}", names.join(" "))).await;
        assert_eq!(ran.exit, exit, "{names:?} {ran:?}");
    }
    let any = lro.run("wait operations/ok operations/absent --any").await;
    assert!(matches!(any.exit, Exit::Done | Exit::NotFound), "{any:?}");
}

#[tokio::test]
async fn many_operations_take_few_calls() {
    let mut script = Script::new();
    let mut names = String::new();
    for index in 0..200 {
        let name = format!("operations/{index}");
        names.push_str(&name);
        names.push('\n');
        script = script.operation(succeeded(&name, "{}", "{}"));
    }
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url).stdin(&names);
    let waiting = lro.run("wait - -o name");
    let ran = tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .unwrap();
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    // In the order of the names.
    assert_eq!(ran.stdout, names);
    let calls = server.calls().len();
    assert!(calls < 100, "{calls} calls");
}

#[tokio::test]
async fn changes_are_written_as_they_come() {
    let steps = vec![
        Step(
            Ok(running(NAME, r#"{"tablesDone":1,"tablesTotal":2}"#)),
            None,
        ),
        Step(Ok(done()), None),
    ];
    let ran = waits(steps, "watch operations/1 -o ndjson").await;
    let lines: Vec<serde_json::Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let changes: Vec<&str> = lines
        .iter()
        .map(|it| it["change"].as_str().unwrap())
        .collect();
    assert_eq!(changes, ["CHANGED", "SUCCEEDED"], "{ran:?}");
    assert_eq!(lines[0]["operation"]["metadata"]["tablesDone"], 1);
}

#[tokio::test]
async fn a_watch_ends_with_its_operations() {
    let steps = || {
        vec![
            Step(Ok(running(NAME, "{}")), None),
            Step(Ok(running(NAME, r#"{"tablesDone":1}"#)), None),
            Step(Ok(done()), None),
        ]
    };
    for words in [
        "watch operations/1",
        "watch operations/1 operations/1",
        "watch - ",
    ] {
        let server = Fake::start(Script::new().steps(NAME, steps())).await;
        let lro = Lro::to(&server.url).stdin("operations/1\n");
        let watching = lro.run(words);
        let limit = Duration::from_secs(60);
        let ran = tokio::time::timeout(limit, watching).await.unwrap();
        assert_eq!(ran.exit, Exit::Done, "{words}: {ran:?}");
        // Not before: all three answers were asked for.
        let gets = server
            .calls()
            .iter()
            .filter(|it| it.starts_with("get"))
            .count();
        assert_eq!(gets, 3, "{words}");
    }
}
