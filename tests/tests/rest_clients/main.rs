//! HTTP/JSON clients of others, unchanged, against services behind the gateway.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod archives;
mod guide;
mod mirror;
mod page;
#[path = "../gateway/protos.rs"]
#[allow(dead_code, reason = "the table of cases needs more of it")]
mod protos;
mod proxy;
#[path = "../../../lro-json/tests/it/random.rs"]
#[allow(dead_code, reason = "the tests of lro-json need more of it")]
mod random;
mod rooms;
mod script;
mod served;
#[path = "../../../lro-json/tests/it/types.rs"]
#[allow(dead_code, reason = "the tests of lro-json need more of it")]
mod types;
#[path = "../gateway/wire.rs"]
#[allow(dead_code, reason = "the table of cases needs more of it")]
mod wire;

use test_programs::Environment;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::archives::Folders;
use crate::script::{GOOGLE_PROTOS, check, environment, run, script};

const LIBRARY_PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
const ARCHIVER_PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/archiver/proto");

/// google-api-core's client of operations, with the binding that it has by default,
/// `/v1/{name=**/operations/*}`, and with that of operations.proto.
///
/// spec:140 spec:142 gateway:32 gateway:43 gateway:105 gateway:108 gateway:134 gateway:135 gateway:136 gateway:138
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operations_client_of_google_api_core_uses_either_style_of_names() {
    let Some(python) = environment(Environment::GOOGLE_API_CORE).await else {
        return;
    };
    let python = python.join("bin/python");
    // Answers hold messages of the service, which its client must know.
    let generated = tempfile::tempdir().unwrap();
    run(Command::new(&python)
        .args([
            "-m",
            "grpc_tools.protoc",
            "-I",
            LIBRARY_PROTOS,
            "-I",
            GOOGLE_PROTOS,
        ])
        .arg(format!("--python_out={}", generated.path().display()))
        .arg("library/v1/library.proto"))
    .await;
    let server = rooms::serve().await;
    let mut client = Command::new(&python);
    client.env("PYTHONPATH", generated.path());
    check(client.arg(script("operations.py")).arg(&server.url), 12).await;
    server.stop().await;
}

/// A client that gapic-generator makes of the archiver's proto, with its REST transport.
///
/// gateway:67 gateway:97 gateway:98 gateway:108 gateway:110 gateway:114 gateway:139
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_rest_client_starts_polls_cancels_and_reads_errors() {
    let Some(python) = environment(Environment::GOOGLE_API_CORE).await else {
        return;
    };
    let generated = tempfile::tempdir().unwrap();
    let plugin = python.join("bin/protoc-gen-python_gapic");
    let python = python.join("bin/python");
    run(Command::new(&python)
        .args([
            "-m",
            "grpc_tools.protoc",
            "-I",
            ARCHIVER_PROTOS,
            "-I",
            GOOGLE_PROTOS,
        ])
        .arg(format!("--plugin={}", plugin.display()))
        .arg(format!("--python_gapic_out={}", generated.path().display()))
        .arg(format!(
            "--python_gapic_opt=transport=rest,rest-numeric-enums,service-yaml={}",
            script("archiver.yaml").display()
        ))
        .arg("examples/archiver/v1/archiver.proto"))
    .await;
    let folders = Folders::new();
    let server = archives::serve(&folders).await;
    let mut client = Command::new(&python);
    client.env("PYTHONPATH", generated.path());
    client.arg(script("generated.py")).arg(&server.url);
    check(client.args([folders.small(), folders.endless()]), 7).await;
    server.stop().await;
}

/// The commands of the guide, as a person would type them.
///
/// gateway:31 gateway:42 gateway:46 gateway:69 gateway:88 gateway:108 gateway:113 gateway:136 gateway:137
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_starts_cancels_waits_and_lists_as_the_guide_says() {
    let curl = std::process::Command::new("curl").arg("--version").output();
    if test_programs::there_or_skip(curl).is_none() {
        return;
    }
    let folders = Folders::new();
    let server = archives::serve(&folders).await;
    let (small, endless) = (folders.small(), folders.endless());
    let places = [
        ("localhost:50051", server.url.trim_start_matches("http://")),
        ("/srv/small", small.to_str().unwrap()),
        ("/srv/endless", endless.to_str().unwrap()),
    ];
    let page = include_str!("../../../docs/guide/http-json.md");
    assert_eq!(guide::check(page, &places).await, 10);
    server.stop().await;
}

/// The commands of README: a watch that ends when the operation does.
///
/// gateway:140
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_watches_and_cancels_as_the_readme_says() {
    let curl = std::process::Command::new("curl").arg("--version").output();
    if test_programs::there_or_skip(curl).is_none() {
        return;
    }
    let folders = Folders::new();
    let server = archives::serve(&folders).await;
    let readme = include_str!("../../../README.md");
    let commands = readme.lines().filter(|line| line.starts_with("curl "));
    let [start, watch, cancel] = &commands.collect::<Vec<_>>()[..] else {
        panic!("README has other commands of curl");
    };
    let host = server.url.trim_start_matches("http://").to_owned();
    let shell = |command: &str, id: &str| {
        let endless = folders.endless();
        let command = command.replace("/srv/photos", endless.to_str().unwrap());
        let command = command.replace("localhost:50051", &host).replace("ID", id);
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]);
        shell
    };
    let started: serde_json::Value =
        serde_json::from_str(&run(&mut shell(start, "")).await).unwrap();
    let id = started["name"]
        .as_str()
        .unwrap()
        .strip_prefix("operations/")
        .unwrap();
    let mut watching = shell(watch, id);
    let watching = watching
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true);
    let mut watching = watching.spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut data = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let Some(event) = line.strip_prefix("data: ") else {
            continue;
        };
        if data.is_empty() {
            assert_eq!(run(&mut shell(cancel, id)).await, "{}");
        }
        data.push(serde_json::from_str::<serde_json::Value>(event).unwrap());
    }
    assert!(watching.wait().await.unwrap().success());
    assert!(data.len() >= 2, "{data:?}");
    assert_eq!(data[0]["done"], serde_json::Value::Null);
    assert_eq!(data.last().unwrap()["error"]["code"], 1);
    server.stop().await;
}

/// The npm package eventsource, as a page would use its own.
///
/// gateway:140
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_source_follows_an_operation_to_its_end() {
    let Some(node) = environment(Environment::EVENT_SOURCE).await else {
        return;
    };
    let folders = Folders::new();
    let server = archives::serve(&folders).await;
    let mut client = Command::new("node");
    client
        .arg(script("event_source.mjs"))
        .arg(node.join("node_modules"));
    client
        .arg(&server.url)
        .args([folders.small(), folders.endless()]);
    check(&mut client, 4).await;
    server.stop().await;
}

/// Chromium: its own EventSource, pages of other sites, and names that resolve to this machine.
///
/// gateway:46 gateway:140 gateway:143 report:W1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_watches_and_pages_of_other_sites_change_nothing() {
    let chromium = std::process::Command::new("chromium")
        .arg("--version")
        .output();
    let chromium = chromium.map_err(|error| format!("there is no chromium: {error}"));
    if test_programs::there_or_skip(chromium).is_none() {
        return;
    }
    let Some(node) = environment(Environment::EVENT_SOURCE).await else {
        return;
    };
    let folders = Folders::new();
    let closed = archives::serve(&folders).await;
    let page = page::serve().await;
    let origin = format!("http://ui.example:{}", page.port());
    let open = rooms::serve_with(|gateway| gateway.allow_origin(origin)).await;
    let mut client = Command::new("node");
    client
        .arg(script("browser.mjs"))
        .arg(node.join("node_modules"));
    client.args([&closed.url, &open.url, &page.port().to_string()]);
    check(client.arg(folders.endless()), 8).await;
    closed.stop().await;
    open.stop().await;
}

/// Requests made from the document of a service with fields of every kind, whose answers are random.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_every_kind_are_as_the_openapi_document_says() {
    let Some(python) = environment(Environment::SCHEMATHESIS).await else {
        return;
    };
    let server = mirror::serve(1).await;
    let mut client = Command::new(python.join("bin/python"));
    client.arg(script("openapi.py"));
    run(client.args([&server.url, "fuzzing", "8"])).await;
    server.stop().await;
}

/// Requests made from the document of a service of operations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_as_the_openapi_document_says() {
    let Some(python) = environment(Environment::SCHEMATHESIS).await else {
        return;
    };
    let server = rooms::serve().await;
    let mut client = Command::new(python.join("bin/python"));
    client.arg(script("openapi.py"));
    run(client.args([&server.url, "coverage,fuzzing", "15"])).await;
    server.stop().await;
}
