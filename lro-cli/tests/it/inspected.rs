//! The command against our own server with the inspection service, on each of our stores.

use expect_test::expect;
use lro_cli::exit::Exit;
use serde_json::Value;

use crate::support::live::Live;
use crate::support::{Lro, Ran};

/// A lro that shows no progress.
fn lro(live: &Live) -> Lro {
    Lro::to(&live.url()).variable("LRO_PROGRESS", "none")
}

/// The name of a new operation; what it ended with, if it has ended.
async fn started(lro: &Lro, tables: &str, wait: bool) -> String {
    let ran = lro.run(&format!("start Exporter/Export {tables} -q")).await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let name = ran.stdout.trim().to_owned();
    if wait {
        lro.run(&format!("wait {name} -q")).await;
    }
    name
}

/// The lines of the output, without what differs from run to run.
fn steady(ran: &Ran, names: &[&str]) -> String {
    let mut text = ran.stdout.clone();
    for (at, name) in names.iter().enumerate() {
        text = text.replace(name, &format!("operations/ID{at}"));
    }
    let lines = text.lines().map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_list_has_methods_and_exact_states() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        let done = started(&lro, "tables=users", true).await;
        let ran = lro.run("list --columns state,name,method,by").await;
        expect![[r#"
            STATE NAME METHOD BY
            SUCCEEDED operations/ID0 Exporter/Export -"#]]
        .assert_eq(&steady(&ran, &[&done]));
        let ran = lro.run("list").await;
        assert!(ran.stdout.contains("METHOD"), "{ran:?}");
        // A page token of either service continues the other's list.
        let second = started(&lro, "tables=users", true).await;
        let ran = lro.run("list --limit 1").await;
        assert!(ran.stdout.contains(&second), "{ran:?}");
        let again = ran.stderr.trim().rsplit_once("lro ").unwrap().1;
        let ran = lro.run(&format!("{again} -o name")).await;
        assert_eq!(ran.stdout.trim(), done);
    }
}

#[tokio::test]
async fn a_count_tells_states_and_methods() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        started(&lro, "tables=users", true).await;
        started(&lro, "tables=missing", true).await;
        let ran = lro.run("count").await;
        expect![[r#"
            SUCCEEDED 1 Exporter/Export
            FAILED 1 Exporter/Export
            total 2"#]]
        .assert_eq(&steady(&ran, &[]));
        let ran = lro.run("count --filter 'state = FAILED' -o json").await;
        let counts: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(counts["counts"]["FAILED"], 1);
        assert_eq!(
            counts["groups"][0]["method"],
            "/exporter.v1.Exporter/Export"
        );
        assert_eq!(
            (&counts["total"], &counts["more"]),
            (&1.into(), &false.into())
        );
        // The standard's list tells what is wrong with a filter.
        let ran = lro.run("count --filter 'colour = red'").await;
        assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
    }
}

#[tokio::test]
async fn a_description_has_the_record() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        let failed = started(&lro, "tables=missing", true).await;
        let ran = lro.run(&format!("describe {failed} --show-request")).await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        for wanted in [
            "state        FAILED",
            "method       Exporter/Export",
            "attempt      1 of 10",
            "error        NOT_FOUND: there is no table `missing`",
            "request:",
            "\"tables\": [",
        ] {
            assert!(ran.stdout.contains(wanted), "{wanted}: {ran:?}");
        }
        assert!(ran.stderr.contains("Again: lro resubmit"), "{ran:?}");
        let ran = lro.run(&format!("describe {failed} -o json")).await;
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(document["name"], *failed);
        let record = &document["inspection"];
        assert_eq!(record["state"], "FAILED");
        assert_eq!(record["method"], "/exporter.v1.Exporter/Export");
        assert_eq!(record["attempts"][0]["outcome"], "FAILED");
        assert_eq!(record["request"]["tables"][0], "missing");
        assert!(record.get("operation").is_none());
    }
}

#[tokio::test]
async fn a_cancellation_tells_who_and_why() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        let name = started(&lro, "tables=endless", false).await;
        let ran = lro
            .run(&format!("cancel {name} --reason 'wrong bucket'"))
            .await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        let ran = lro.run(&format!("describe {name}")).await;
        assert!(
            ran.stdout.contains("cancelled    reason: wrong bucket"),
            "{ran:?}"
        );
        let ran = lro
            .run(&format!("delete {name} --reason 'no more needed'"))
            .await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    }
}

#[tokio::test]
async fn operations_are_resubmitted() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        let first = started(&lro, "tables=users tables=orders", true).await;
        let ran = lro.run(&format!("resubmit {first} --wait")).await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        assert_eq!(ran.stdout, "{\"tablesExported\":2,\"rows\":\"81234\"}\n");
        assert!(
            ran.stderr.contains(&format!("started from {first}")),
            "{ran:?}"
        );
        let ran = lro.run("describe @latest -o json").await;
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        let from = document["inspection"]["labels"]["resubmitted-from"].as_str();
        assert_eq!(from, first.strip_prefix("operations/"));
        // Several, from stdin: a failed one decides the exit code.
        let failed = started(&lro, "tables=missing", true).await;
        let ran = lro
            .clone()
            .stdin(&format!("{first}\n{failed}\n"))
            .run("resubmit - --wait -o ndjson")
            .await;
        assert_eq!(ran.exit, Exit::Failed, "{ran:?}");
        assert_eq!(ran.stdout.lines().count(), 2);
        // One that runs is refused, and the others are started.
        let running = started(&lro, "tables=endless", false).await;
        let ran = lro
            .run(&format!("resubmit {running} {first} -o name"))
            .await;
        assert_eq!(ran.exit, Exit::Refused, "{ran:?}");
        assert!(ran.stderr.contains("has not ended"), "{ran:?}");
        assert_eq!(ran.stdout.lines().count(), 1);
        let ran = lro.run(&format!("resubmit {running}")).await;
        assert_ne!(ran.exit, Exit::Done, "{ran:?}");
        let ran = lro.run("resubmit operations/none").await;
        assert_eq!(ran.exit, Exit::NotFound, "{ran:?}");
        let read_only = lro.clone().variable("LRO_READ_ONLY", "true");
        let ran = read_only.run(&format!("resubmit {first}")).await;
        assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_request_is_edited_before_it_is_sent_again() {
    let live = Live::inspected().await.remove(0);
    let lro = lro(&live);
    let first = started(&lro, "tables=users", true).await;
    let edit = lro.clone().variable("EDITOR", "sed -i s/users/orders/");
    let ran = edit.run(&format!("resubmit {first} --edit --wait")).await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let ran = lro.run("describe @latest -o json").await;
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["inspection"]["request"]["tables"][0], "orders");
    let unchanged = lro.variable("EDITOR", "true");
    let ran = unchanged.run(&format!("resubmit {first} --edit")).await;
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
    assert!(ran.stderr.contains("leave out --edit"), "{ran:?}");
}

#[tokio::test]
async fn workers_are_those_of_the_process() {
    for live in Live::inspected().await {
        let lro = lro(&live);
        let ran = lro.run("workers").await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        let lines: Vec<_> = ran.stdout.lines().collect();
        assert_eq!(lines.len(), 2, "{ran:?}");
        assert!(lines[1].contains("RUNNING"), "{ran:?}");
        assert!(lines[1].ends_with("Exporter/Export"), "{ran:?}");
        let ran = lro.run("workers -o json").await;
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        let worker = &document["workers"][0];
        assert_eq!(worker["slots"], worker["freeSlots"]);
        let ran = lro.run("workers -o name").await;
        assert_eq!(ran.stdout.trim(), worker["worker"]);
    }
}

/// The standard alone: nothing is guessed.
#[tokio::test]
async fn a_server_without_the_service_is_enough() {
    let live = Live::start(None).await;
    let lro = lro(&live);
    let name = started(&lro, "tables=users", true).await;
    let ran = lro.run("list").await;
    assert!(ran.stdout.contains("TYPE") && !ran.stdout.contains("METHOD"));
    let ran = lro.run(&format!("describe {name} -o json")).await;
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(document.get("inspection").is_none(), "{ran:?}");
    let ran = lro.run(&format!("describe {name} --show-request")).await;
    assert!(ran.stderr.contains("does not tell the request"), "{ran:?}");
    let ran = lro.run("count").await;
    assert!(ran.stdout.starts_with("SUCCEEDED"), "{ran:?}");
    for command in ["workers", "resubmit operations/1"] {
        let ran = lro.run(command).await;
        assert_eq!(ran.exit, Exit::Unimplemented, "{command}: {ran:?}");
        assert!(ran.stderr.contains("lro.v1.Inspection"), "{ran:?}");
    }
}

/// The command evaluates the filter, on any server.
#[tokio::test]
async fn a_list_is_filtered_here() {
    let live = Live::start(None).await;
    let lro = lro(&live);
    let one = started(&lro, "tables=users", true).await;
    let two = started(&lro, "tables=users tables=orders", true).await;
    started(&lro, "tables=missing", true).await;
    let listed = async |filter: &str| {
        let ran = lro.run(&format!("list --where '{filter}' -o name")).await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        ran.stdout
    };
    assert_eq!(
        listed("metadata.tables_total = 2").await,
        format!("{two}\n")
    );
    assert_eq!(
        listed("response.tables_exported >= 1").await,
        format!("{two}\n{one}\n")
    );
    let ran = lro
        .run("list --where 'response.tables_exported >= 1' --limit 1 -o name")
        .await;
    assert_eq!(ran.stdout, format!("{two}\n"));
    let again = ran.stderr.trim().rsplit_once("lro ").unwrap().1;
    let ran = lro.run(&format!("{again} -o name")).await;
    assert_eq!(ran.stdout, format!("{one}\n"));
    let ran = lro.run("list --where 'metadata.colour = red'").await;
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
    assert!(ran.stderr.contains("metadata.colour"), "{ran:?}");
}

#[tokio::test]
async fn a_wait_ends_when_its_filter_matches() {
    let live = Live::start(None).await;
    let lro = lro(&live);
    let name = started(&lro, "tables=users tables=endless", false).await;
    let until = |filter: &str| format!("wait {name} --until '{filter}' --timeout 20s");
    let ran = lro.run(&until("metadata.tables_done = 1")).await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert!(ran.stdout.contains("\"tablesDone\":1"), "{ran:?}");
    let ran = lro.run(&until("metadata.rows = 1")).await;
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
    // An operation that has ended will not match any more.
    let done = started(&lro, "tables=users", true).await;
    let ran = lro
        .run(&format!("wait {done} --until 'metadata.tables_done = 9'"))
        .await;
    assert_eq!(ran.exit, Exit::Refused, "{ran:?}");
    assert!(ran.stderr.contains("does not match --until"), "{ran:?}");
    lro.run(&format!("cancel {name} -q")).await;
}
