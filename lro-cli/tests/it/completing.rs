//! Completions, as a shell asks for them.

use std::process::Command;

use crate::support::Lro;
use crate::support::fake::{Fake, Script};
use crate::support::live::Live;
use crate::support::types::running;

/// The candidates for the last word of a line.
async fn candidates(server: &str, words: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lro"));
    command
        .arg("--")
        .args(words)
        .env_clear()
        .env("COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "false")
        .env(
            "LRO_CONFIG",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/profiles.toml"),
        )
        .env("LRO_SERVER", server);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_those_of_the_newest_operations() {
    let long = "operations/0197c2aa-0000-7000-8000-00000000e41d";
    let script = Script::new()
        .operation(running(long, "{}"))
        .operation(running("operations/\u{1b}[2Jevil", "{}"))
        .operation(running("operations/42", "{}"));
    let server = Fake::start(script).await;
    let found = candidates(&server.url, &["lro", "get", "operations/"]).await;
    assert_eq!(found, [long, "operations/42"]);
    let found = candidates(&server.url, &["lro", "wait", "operations/42", "@"]).await;
    assert_eq!(found, ["@latest"]);
    let found = candidates(&server.url, &["lro", "cancel", "..e4"]).await;
    assert_eq!(found, ["..e41d"]);
    // The line says which server.
    let line = ["lro", "-s", &server.url, "get", "operations/4"];
    assert_eq!(
        candidates("http://127.0.0.1:1", &line).await,
        ["operations/42"]
    );
}

/// Nothing is offered, nothing is said, and the shell does not wait.
#[tokio::test(flavor = "multi_thread")]
async fn errors_are_silent() {
    let found = candidates("http://127.0.0.1:1", &["lro", "get", "op"]).await;
    assert_eq!(found, Vec::<String>::new());
    let found = candidates("no server", &["lro", "start", "Exp"]).await;
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_fields_are_those_of_the_server() {
    let live = Live::start(None).await;
    let found = candidates(&live.url(), &["lro", "start", "Exp"]).await;
    assert_eq!(found, ["Exporter/Export"]);
    let found = candidates(&live.url(), &["lro", "start", "exporter.v1"]).await;
    assert_eq!(found, ["exporter.v1.Exporter/Export"]);
    let found = candidates(&live.url(), &["lro", "start", "Exporter/Export", "ta"]).await;
    assert_eq!(found, ["tables="]);
    let found = candidates(
        &live.url(),
        &["lro", "list", "--filter", "metadata.tables_d"],
    )
    .await;
    assert_eq!(found, ["metadata.tables_done"]);
    let found = candidates(&live.url(), &["lro", "list", "--filter", "state = CANC"]).await;
    assert_eq!(found, ["state = CANCELLING", "state = CANCELLED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_are_those_that_are_declared_or_awaited() {
    let live = Live::declaring().await;
    let lro = Lro::to(&live.url());
    let ran = lro.run("start Exporter/Export tables=a -q").await;
    let name = ran.stdout.trim();
    let found = candidates(&live.url(), &["lro", "complete", name, ""]).await;
    assert!(found.contains(&"table".to_owned()), "{found:?}");
    let found = candidates(&live.url(), &["lro", "complete", name, "x"]).await;
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_forms_and_columns_need_no_server() {
    let nowhere = "http://127.0.0.1:1";
    let found = candidates(nowhere, &["lro", "list", "-p", "p"]).await;
    assert_eq!(found, ["prod"]);
    let found = candidates(nowhere, &["lro", "config", "use", "s"]).await;
    assert_eq!(found, ["staging"]);
    let found = candidates(nowhere, &["lro", "list", "-o", "n"]).await;
    assert_eq!(found, ["ndjson", "name"]);
    let found = candidates(nowhere, &["lro", "list", "--columns", "name,cr"]).await;
    assert_eq!(found, ["name,created"]);
    let found = candidates(nowhere, &["lro", "config", "set", "tls.c"]).await;
    assert_eq!(found, ["tls.ca", "tls.cert"]);
}
