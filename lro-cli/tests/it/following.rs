//! Lists that are watched, filters that are followed, and changes of metadata.

use lro_cli::exit::Exit;
use serde_json::Value;
use tonic::{Code, Status};

use crate::support::fake::{Fake, Script, Step};
use crate::support::live::Live;
use crate::support::types::{failed, running, succeeded};
use crate::support::{Hands, Lro};

const NAME: &str = "operations/1";

/// The change and the name of each line of `-o ndjson`.
fn changes(output: &str) -> Vec<(String, String)> {
    let lines = output.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        assert!(line["at"].is_string(), "{line}");
        (text(&line["change"]), text(&line["operation"]["name"]))
    });
    lines.collect()
}

async fn cancel(url: String, name: String) {
    let endpoint = tonic::transport::Endpoint::from_shared(url).unwrap();
    let client = lro_client::OperationsClient::new(endpoint.connect().await.unwrap());
    client.cancel(&name).await.unwrap();
}

fn told(change: &str, name: &str) -> (String, String) {
    (change.to_owned(), name.to_owned())
}

#[tokio::test]
async fn a_watched_list_tells_each_change_once() {
    let script = Script::new()
        .operation(running("operations/2", "{}"))
        .operation(running(NAME, "{}"));
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url);
    let words = "list --watch --interval 250ms -o ndjson";
    let steps = std::cell::Cell::new(0);
    let output = lro
        .until(words, |output| {
            let count = output.lines().count();
            let mut script = server.script.lock().unwrap();
            if count == 2 && steps.replace(1) == 0 {
                script.set(failed(NAME, "{}", 5, "", Vec::new()));
                script.set(running("operations/2", r#"{"tablesDone":1}"#));
                script.add(running("operations/3", "{}"));
            } else if count == 5 && steps.replace(2) == 1 {
                script.order.retain(|it| it != "operations/2");
            }
            count == 6
        })
        .await;
    assert_eq!(
        changes(&output),
        [
            told("ADDED", NAME),
            told("ADDED", "operations/2"),
            told("FAILED", NAME),
            told("CHANGED", "operations/2"),
            told("ADDED", "operations/3"),
            told("REMOVED", "operations/2"),
        ]
    );
    let refused = lro.run("list --watch -o json").await;
    assert_eq!(refused.exit, Exit::Usage, "{refused:?}");
}

/// Names for the next command, each once; lines for people who want no screen.
#[tokio::test]
async fn a_watched_list_has_the_forms_of_a_list() {
    let server = Fake::start(Script::new().operation(running(NAME, "{}"))).await;
    let lro = Lro::to(&server.url).clock(&Hands::at("2026-11-28T19:42:14Z"));
    let words = "list --watch --interval 250ms -o name";
    let added = std::cell::Cell::new(false);
    let output = lro
        .until(words, |output| {
            if output == "operations/1\n" && !added.replace(true) {
                let mut script = server.script.lock().unwrap();
                script.set(succeeded(NAME, "{}", "{}"));
                script.add(running("operations/2", "{}"));
            }
            output.lines().count() == 2
        })
        .await;
    assert_eq!(output, "operations/1\noperations/2\n");
    let lro = lro.terminal(80).variable("ACCESSIBLE", "1");
    let output = lro
        .until("list --watch", |it| it.lines().count() == 2)
        .await;
    assert_eq!(
        output,
        "19:42:14 operations/1 SUCCEEDED\n19:42:14 operations/2 RUNNING\n"
    );
}

#[tokio::test]
async fn a_watched_list_survives_errors_that_pass() {
    let server = Fake::start(Script::new().operation(running(NAME, "{}"))).await;
    server.script.lock().unwrap().lists_fail = vec![
        Status::new(Code::Internal, "proxy error"),
        Status::new(Code::Unknown, "proxy error"),
    ];
    let lro = Lro::to(&server.url).variable("LRO_RETRY_ERRORS", "2");
    let words = "list --watch --interval 250ms -o name";
    let output = lro.until(words, |it| !it.is_empty()).await;
    assert_eq!(output, "operations/1\n");
    // A decision of the server ends the command at once.
    server.script.lock().unwrap().lists_fail = vec![Status::new(Code::PermissionDenied, "no")];
    let ran = lro.run("list --watch -o name").await;
    assert_eq!(ran.exit, Exit::Denied, "{ran:?}");
}

/// Where the inspection service tells of changes, nothing waits for the next interval.
#[tokio::test]
async fn a_watched_list_follows_the_hints_of_the_inspection_service() {
    for live in Live::inspected().await {
        let lro = Lro::to(&live.url()).variable("LRO_PROGRESS", "none");
        let first = lro.run("start Exporter/Export tables=endless -q").await;
        let first = first.stdout.trim().to_owned();
        let is_cancelled = std::cell::Cell::new(false);
        let words = "list --watch --interval 10m -o ndjson";
        let began = std::time::Instant::now();
        let output = lro
            .until(words, |output| {
                if output.contains(&first) && !is_cancelled.replace(true) {
                    tokio::spawn(cancel(live.url(), first.clone()));
                }
                output.contains("\"change\":\"CANCELLED\"")
            })
            .await;
        assert!(output.contains(&first), "{output}");
        assert!(began.elapsed().as_secs() < 25, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn what_matches_later_is_followed_until_nothing_runs() {
    let server = Fake::start(Script::new().operation(running(NAME, "{}"))).await;
    let lro = Lro::to(&server.url);
    let child = "operations/2";
    let steps = async {
        // A child starts before its parent has ended, and is found by a later look.
        server.called("wait operations/1").await;
        {
            let mut script = server.script.lock().unwrap();
            script.add(running(child, "{}"));
            script.set(succeeded(NAME, "{}", "{}"));
        }
        server.called("wait operations/2").await;
        let end = failed(child, "{}", 5, "", Vec::new());
        server.script.lock().unwrap().set(end);
    };
    let words = "wait --filter 'labels.batch = x' --follow -o ndjson";
    let (ran, ()) = tokio::join!(lro.run(words), steps);
    assert_eq!(ran.exit, Exit::Failed, "{ran:?}");
    let names: Vec<Value> = ran
        .stdout
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(names.len(), 2, "{ran:?}");
    // Without --follow it is what matches now.
    let ran = lro.run("wait --filter 'labels.batch = x' -o name").await;
    assert_eq!(ran.stdout.lines().count(), 2, "{ran:?}");
}

#[tokio::test]
async fn a_filter_that_matches_nothing_is_no_success() {
    let server = Fake::start(Script::new()).await;
    let lro = Lro::to(&server.url);
    let filter = "wait --filter 'labels.batch = x'";
    let ran = lro.run(filter).await;
    assert_eq!(ran.exit, Exit::NotFound, "{ran:?}");
    assert!(ran.stderr.contains("--if-missing wait"), "{ran:?}");
    let ran = lro.run(&format!("{filter} --if-missing ok")).await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let ran = lro
        .run(&format!("{filter} --if-missing wait --timeout 300ms"))
        .await;
    assert_eq!(ran.exit, Exit::TimedOut, "{ran:?}");
    let steps = async {
        server.called("list").await;
        let done = succeeded(NAME, "{}", r#"{"rows":"1"}"#);
        server.script.lock().unwrap().add(done);
    };
    let words = "wait --filter 'labels.batch = x' --if-missing wait";
    let (ran, ()) = tokio::join!(lro.run(words), steps);
    assert_eq!(
        (ran.exit, &*ran.stdout),
        (Exit::Done, "{\"rows\":\"1\"}\n"),
        "{ran:?}"
    );
}

fn three_answers() -> Script {
    let answer = |metadata: &str| Step(Ok(running(NAME, metadata)), None);
    let done = succeeded(NAME, r#"{"tablesDone":8,"tablesTotal":8}"#, "{}");
    Script::new().steps(
        NAME,
        vec![
            answer(r#"{"tablesDone":5,"tablesTotal":8,"current":"orders"}"#),
            answer(r#"{"tablesDone":6,"tablesTotal":8,"current":"users"}"#),
            Step(Ok(done), None),
        ],
    )
}

#[tokio::test]
async fn changes_of_metadata_are_told_field_by_field() {
    let server = Fake::start(three_answers()).await;
    let clock = Hands::at("2026-11-28T19:42:14Z");
    let ran = Lro::to(&server.url)
        .clock(&clock)
        .run("watch operations/1 --changes")
        .await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert_eq!(
        ran.stderr,
        "19:42:14 operations/1 RUNNING 5 of 8 tables · orders\n\
         19:42:14 operations/1 current: orders → users, tablesDone: 5 → 6\n\
         19:42:14 operations/1 current: users → \"\", tablesDone: 6 → 8\n\
         19:42:14 operations/1 SUCCEEDED after 0s\n"
    );
    let server = Fake::start(three_answers()).await;
    let ran = Lro::to(&server.url)
        .run("watch operations/1 --changes -o ndjson")
        .await;
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert_eq!(lines[0]["changes"], serde_json::json!([]));
    let change = serde_json::json!({"path": "metadata.tablesDone", "from": 5, "to": 6});
    assert_eq!(lines[1]["changes"][1], change);
}
