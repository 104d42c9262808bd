//! `lro steps` and `lro complete` against our own server, on each of our stores.

use expect_test::expect;
use exporter::pb::ExportMetadata;
use lro_cli::exit::Exit;
use lro_server::OperationContext;
use lro_server::testing::{self, History};
use serde_json::Value;
use tonic::Status;

use crate::support::live::{Live, approval};
use crate::support::{Lro, Ran};

fn lro(live: &Live) -> Lro {
    Lro::to(&live.url()).variable("LRO_PROGRESS", "none")
}

/// The name of an operation that waits for an approval.
async fn waiting(lro: &Lro) -> String {
    let ran = lro.run("start Exporter/Export tables=approval -q").await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let name = ran.stdout.trim().to_owned();
    loop {
        let ran = lro.run(&format!("steps {name} -o json")).await;
        let listed: Value = serde_json::from_str(&ran.stdout).unwrap();
        if listed["waitingFor"][0] == "approved" {
            return name;
        }
    }
}

/// The lines without bars, times and the name, which differ from run to run.
fn steady(text: &str, name: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace(name, "NAME");
        let line = match (line.find('['), line.find(']')) {
            (Some(from), Some(to)) if from < to => {
                format!("{}BAR{}", &line[..from], &line[to + 1..])
            }
            _ => line,
        };
        let words = line.split_whitespace();
        let is_time = |word: &&str| {
            word.strip_suffix('s')
                .is_some_and(|it| it.parse::<f64>().is_ok())
        };
        let words: Vec<_> = words
            .map(|it| if is_time(&it) { "TIME" } else { it })
            .collect();
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn usage(ran: &Ran, wanted: &str) {
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
    assert!(ran.stderr.contains(wanted), "{wanted}: {ran:?}");
}

#[tokio::test]
async fn steps_are_a_tree_with_what_the_operation_waits_for() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        let name = waiting(&lro).await;
        let ran = lro.run(&format!("steps {name}")).await;
        expect![[r#"
            STEP STATE TIME TOOK NOTE
            dump/
            users DONE BAR TIME
            ✗ orders FAILED BAR TIME NOT_FOUND: there is no table `orders`
            approved WAITING BAR TIME waits for a value"#]]
        .assert_eq(&steady(&ran.stdout, &name));
        expect!["Complete: lro complete NAME approved JSON"].assert_eq(&steady(&ran.stderr, &name));

        let ran = lro.run(&format!("steps {name} -o name")).await;
        assert_eq!(ran.stdout, "dump/users\ndump/orders\napproved\n");
        let ran = lro.run(&format!("steps {name} -o ndjson")).await;
        let first: Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
        assert_eq!(first["valueType"], "google.protobuf.UInt32Value");
        assert_eq!(first.get("value"), None);
        let ran = lro.run(&format!("steps {name} -o history")).await;
        let history: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(history["steps"][0]["value"]["value"], 7);
        assert_eq!(history["steps"][1]["error"]["code"], 5);
        let ran = lro.run(&format!("steps {name} --values")).await;
        assert!(ran.stdout.contains("\"value\":7"), "{ran:?}");
        usage(
            &lro.run(&format!("get {name} -o history")).await,
            "only `lro steps` writes histories",
        );
    }
}

/// The history of an operation becomes a test: a body runs on it as it did, and other code does not fit.
#[tokio::test]
async fn an_exported_history_is_replayed() {
    async fn exported(lro: &Lro, name: &str) -> History {
        let ran = lro.run(&format!("steps {name} -o history")).await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        History::from_json(&ran.stdout, &[exporter::pb::FILE_DESCRIPTOR_SET]).unwrap()
    }
    async fn body(operation: OperationContext<ExportMetadata>) -> Result<u32, Status> {
        approval(&operation).await.map(|()| 1)
    }
    async fn changed(operation: OperationContext<ExportMetadata>) -> Result<u32, Status> {
        let scan = async || Ok::<u32, Status>(1);
        operation.step("scan", scan).await?;
        body(operation).await
    }
    for live in Live::inspected().await {
        let lro = lro(&live);
        let name = waiting(&lro).await;
        let history = exported(&lro, &name).await;
        let run = testing::replay(history.clone(), body);
        assert!(run.is_waiting_for("approved"), "{run:?}");
        assert_eq!(
            (run.blocked(), run.begun(), run.unreached()),
            (None, &[][..], &[][..])
        );
        let blocked = testing::replay(history.clone(), changed);
        assert!(
            blocked.blocked().unwrap().contains("`scan` is new"),
            "{blocked:?}"
        );
        let run = testing::replay(history.promise("approved", &true), body);
        assert_eq!(run.outcome().unwrap().unwrap(), 1);

        lro.run(&format!("complete {name} approved false")).await;
        lro.run(&format!("wait {name} -q")).await;
        let run = testing::replay(exported(&lro, &name).await, body);
        let error = run.outcome().unwrap().unwrap_err();
        assert_eq!(error.message(), "legal said no");
    }
}

#[tokio::test]
async fn a_promise_is_completed_once() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        let name = waiting(&lro).await;
        let ran = lro.run(&format!("complete {name} approved true")).await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        expect!["approved of NAME is completed"].assert_eq(&steady(&ran.stderr, &name));
        let ran = lro.run(&format!("wait {name} -q")).await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        let ran = lro.run(&format!("complete {name} approved false")).await;
        assert_eq!(ran.exit, Exit::Refused, "{ran:?}");
        assert!(ran.stderr.contains("lro steps"), "{ran:?}");
        let ran = lro.run(&format!("steps {name}")).await;
        assert!(ran.stdout.contains("from outside"), "{ran:?}");
    }
}

#[tokio::test]
async fn a_promise_ends_with_an_error() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        let name = waiting(&lro).await;
        let ran = lro
            .run(&format!(
                "complete {name} approved --error 'ABORTED: no quorum'"
            ))
            .await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        let ran = lro.run(&format!("wait {name} -q")).await;
        assert_eq!(ran.exit, Exit::Failed, "{ran:?}");
        assert!(ran.stderr.contains("no quorum"), "{ran:?}");
    }
}

#[tokio::test]
async fn a_forgotten_step_runs_again() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        let name = waiting(&lro).await;
        let ran = lro.run(&format!("steps forget {name} none")).await;
        assert_eq!(ran.exit, Exit::NotFound, "{ran:?}");
        assert!(ran.stderr.contains("lists its steps"), "{ran:?}");
        let ran = lro.run(&format!("steps unblock {name}")).await;
        assert_eq!(ran.exit, Exit::Refused, "{ran:?}");
        let ran = lro
            .run(&format!("steps forget {name} dump/users --later"))
            .await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        expect!["3 steps of NAME forgotten: it runs them again"]
            .assert_eq(&steady(&ran.stderr, &name));
        lro.run(&format!("complete {name} approved true")).await;
        let ran = lro.run(&format!("wait {name} -q")).await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        let ran = lro.run(&format!("steps {name} -o name")).await;
        assert!(ran.stdout.contains("dump/users"), "{ran:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_value_is_said_before_it_is_sent() {
    let live = Live::inspected().await.remove(0);
    let lro = lro(&live);
    let name = waiting(&lro).await;
    let complete = async |rest: &str| lro.run(&format!("complete {name} {rest}")).await;
    usage(&complete("approved 7").await, "give --type");
    usage(
        &complete("approved yes --type bool").await,
        "google.protobuf.BoolValue",
    );
    usage(
        &complete("approved 7 --type a.b.C").await,
        "`a.b.C` is not known",
    );
    usage(
        &complete("approved --error ABORTD:x").await,
        "did you mean `ABORTED`?",
    );
    usage(&complete("'two words' true").await, "promise");
    let ran = complete(
        "approved '{\"@type\":\"type.googleapis.com/google.protobuf.BoolValue\",\"value\":true}'",
    )
    .await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let ran = lro.run("steps operations/none").await;
    assert_eq!(ran.exit, Exit::NotFound, "{ran:?}");
    usage(&lro.run("steps").await, "NAME");
}

#[tokio::test]
async fn a_declared_promise_needs_no_type() {
    let live = Live::declaring().await;
    let lro = lro(&live);
    let ran = lro.run("start Exporter/Export tables=a -q").await;
    let name = ran.stdout.trim().to_owned();
    let complete = async |rest: &str| lro.run(&format!("complete {name} {rest}")).await;
    let ran = complete(r#"table '{"name":"a","row":7}'"#).await;
    usage(&ran, "exporter.v1.Table `row`");
    assert!(ran.stderr.contains("did you mean `rows`?"), "{ran:?}");
    let ran = complete(r#"table '{"owner":"ada"}'"#).await;
    usage(&ran, "exporter.v1.Table `owner`");
    assert!(
        ran.stderr.contains("exporter.v1.Table has name, rows"),
        "{ran:?}"
    );
    usage(
        &complete("table true").await,
        "this is no exporter.v1.Table",
    );
    usage(&complete("tables '{}'").await, "did you mean `table`?");
    usage(&complete("approved true").await, "it declares table");
    usage(
        &complete("table true --type bool").await,
        "takes a `exporter.v1.Table`",
    );
    let ran = complete(r#"table '{"name":"a","rows":"7"}'"#).await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let ran = lro.run(&format!("wait {name} -q")).await;
    assert!(ran.stdout.contains("\"rows\":\"7\""), "{ran:?}");
}

#[tokio::test]
async fn a_server_without_the_service_is_named() {
    let live = Live::start(None).await;
    let lro = lro(&live);
    for command in ["steps operations/1", "complete operations/1 approved true"] {
        let ran = lro.run(command).await;
        assert_eq!(ran.exit, Exit::Unimplemented, "{ran:?}");
        assert!(ran.stderr.contains("lro.v1.Steps"), "{ran:?}");
    }
}
