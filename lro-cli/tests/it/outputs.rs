//! Every form of output, read by parsers that are not ours.

use lro_cli::exit::Exit;
use serde_json::Value;

use crate::support::Lro;
use crate::support::fake::{Fake, Reflects, Script};
use crate::support::types::{descriptor_set, failed, running, succeeded};

fn script() -> Script {
    Script::new()
        .operation(running(
            "operations/1",
            r#"{"tablesDone":1,"tablesTotal":4,"password":"s3cret"}"#,
        ))
        .operation(succeeded(
            "operations/2",
            "{}",
            r#"{"tablesExported":1,"rows":"9007199254740993"}"#,
        ))
        .operation(failed(
            "operations/3",
            "{}",
            5,
            "no\nsuch\ttable",
            Vec::new(),
        ))
}

#[tokio::test]
async fn json_is_one_document_and_ndjson_one_object_a_line() {
    let server = Fake::start(script()).await;
    let lro = Lro::to(&server.url);
    for words in [
        "list -o json",
        "get operations/1 operations/2 operations/3 -o json",
    ] {
        let ran = lro.run(words).await;
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        let operations = document["operations"].as_array().unwrap();
        let names: Vec<&str> = operations
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            ["operations/1", "operations/2", "operations/3"],
            "{words}"
        );
        // More than a double holds: as text.
        assert_eq!(operations[1]["response"]["rows"], "9007199254740993");
    }
    let one: Value =
        serde_json::from_str(&lro.run("get operations/2 -o json").await.stdout).unwrap();
    assert_eq!(
        one["response"]["@type"],
        "type.googleapis.com/google.example.v1.ExportResponse"
    );
    for words in [
        "list -o ndjson",
        "get operations/1 operations/2 operations/3 -o ndjson",
    ] {
        let ran = lro.run(words).await;
        let lines: Vec<Value> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3, "{words}");
        assert_eq!(lines[2]["error"]["message"], "no\nsuch\ttable");
    }
    let page: Value =
        serde_json::from_str(&lro.run("list --limit 2 -o json").await.stdout).unwrap();
    assert_eq!(page["nextPageToken"], "2");
}

#[tokio::test]
async fn names_and_values_have_one_line_each() {
    let server = Fake::start(script()).await;
    let lro = Lro::to(&server.url);
    assert_eq!(
        lro.run("list -o name").await.stdout,
        "operations/1\noperations/2\noperations/3\n"
    );
    let ran = lro
        .run("list -o 'value(name,state,metadata.tables_done,metadata.@type)'")
        .await;
    let rows: Vec<Vec<&str>> = ran
        .stdout
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(
        rows[0],
        [
            "operations/1",
            "RUNNING",
            "1",
            "type.googleapis.com/google.example.v1.ExportMetadata"
        ]
    );
    assert_eq!(rows[2][1], "FAILED");
    let tokens = lro.run("list -o token").await.stdout;
    for (line, name) in tokens
        .lines()
        .zip(["operations/1", "operations/2", "operations/3"])
    {
        let token: lro_client::ResumeToken = line.parse().unwrap();
        assert_eq!(token.name(), name);
        assert_eq!(token.metadata_type(), "google.example.v1.ExportMetadata");
    }
    // A token is a name, wherever one is.
    let token = tokens.lines().next().unwrap();
    assert_eq!(
        lro.run(&format!("get '{token}' -o name")).await.stdout,
        "operations/1\n"
    );
}

#[tokio::test]
async fn fields_marked_for_it_are_hidden() {
    let server = Fake::start(script()).await;
    let lro = Lro::to(&server.url);
    let forms = [
        "-o json",
        "-o ndjson",
        "-o 'value(metadata.password)'",
        "-o wide",
        "",
    ];
    for form in forms {
        let ran = lro.run(&format!("get operations/1 {form}")).await;
        assert!(!ran.stdout.contains("s3cret"), "{form}: {ran:?}");
    }
    let ran = lro.run("get operations/1 -o json").await;
    assert!(
        ran.stdout.contains("\"password\": \"<redacted>\""),
        "{ran:?}"
    );
    assert!(
        !lro.run("describe operations/1")
            .await
            .stdout
            .contains("s3cret")
    );
    let ran = lro.run("get operations/1 -o json --unredacted").await;
    assert!(ran.stdout.contains("s3cret"), "{ran:?}");
}

#[tokio::test]
async fn types_come_from_either_reflection_or_from_files() {
    let extra = r#"{"extra":{"@type":"x/google.example.v1.Extra","note":"inner"}}"#;
    let scripted = || Script::new().operation(running("operations/1", extra));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("api.pb");
    std::fs::write(&file, descriptor_set()).unwrap();
    for reflects in [Reflects::V1, Reflects::V1Alpha] {
        let server = Fake::reflecting(scripted(), reflects).await;
        let ran = Lro::to(&server.url)
            .run("get operations/1 -o 'value(metadata.extra.note)'")
            .await;
        assert_eq!(ran.stdout, "inner\n", "{reflects:?} {ran:?}");
    }
    let server = Fake::reflecting(scripted(), Reflects::Nothing).await;
    let lro = Lro::to(&server.url);
    let words = "get operations/1 -o 'value(metadata.extra.note)'";
    let ran = lro
        .run(&format!("{words} --descriptor-set {}", file.display()))
        .await;
    assert_eq!(ran.stdout, "inner\n", "{ran:?}");
    // Without any, the value is base64, and that is said once.
    let ran = lro.run("get operations/1 operations/1 -o json").await;
    assert_eq!(ran.exit, Exit::Done);
    assert_eq!(
        ran.stderr.matches("is shown as base64").count(),
        1,
        "{ran:?}"
    );
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(
        document["operations"][0]["metadata"]["value"].is_string(),
        "{document}"
    );
    let off = Fake::reflecting(scripted(), Reflects::V1).await;
    let ran = Lro::to(&off.url)
        .run(&format!("{words} --reflection off"))
        .await;
    assert_eq!(ran.stdout, "\n", "{ran:?}");
}

#[tokio::test]
async fn lists_are_filtered_here_where_the_server_does_not() {
    let mut script = script();
    script.refuses_filters = true;
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url);
    let ran = lro.run("list --state failed -o name").await;
    assert_eq!(ran.stdout, "operations/3\n", "{ran:?}");
    assert!(ran.stderr.contains("does not filter by state"), "{ran:?}");
    let ran = lro
        .run("list --state running,failed --limit 1 -o name")
        .await;
    assert_eq!(ran.stdout, "operations/1\n", "{ran:?}");
    // The token leads to exactly what follows.
    let token = ran
        .stderr
        .rsplit("--page-token=")
        .next()
        .unwrap()
        .trim()
        .to_owned();
    let ran = lro
        .run(&format!(
            "list --state running,failed --page-token {token} -o name"
        ))
        .await;
    assert_eq!(ran.stdout, "operations/3\n", "{ran:?}");
    // States that the wire does not tell cannot be checked here.
    let ran = lro.run("list --state pending").await;
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
}

#[tokio::test]
async fn nothing_is_sent_for_wrong_usage() {
    let server = Fake::start(script()).await;
    let lro = Lro::to(&server.url);
    for words in [
        "list -o jsno",
        "get 42",
        "list --columns colour",
        "wait",
        "list --since soon",
        "get operations/1 --color sometimes",
        "wait operations/1 --timeout 10",
        "cancel --filter x -y",
        "nonsense",
        "list -s http://host/path",
        "list -H nocolon",
    ] {
        let ran = lro.run(words).await;
        assert_eq!(ran.exit, Exit::Usage, "{words}: {ran:?}");
        assert!(!ran.stderr.is_empty(), "{words}");
    }
    let calls: Vec<String> = server
        .calls()
        .into_iter()
        .filter(|it| !it.starts_with("list 1000 x"))
        .collect();
    assert_eq!(calls, Vec::<String>::new());
}

#[tokio::test]
async fn headers_and_tokens_are_sent_and_never_shown() {
    let server = Fake::start(script()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "t0ken-of-file\n").unwrap();
    let lro = Lro::to(&server.url);
    let ran = lro
        .run("get operations/1 -H 'x-team: blue' --quota-project pay -v")
        .await;
    assert_eq!(server.header("x-team").as_deref(), Some("blue"));
    let of_reflection = server.header_of_reflection("x-team");
    assert_eq!(
        of_reflection.as_deref(),
        Some("blue"),
        "its calls have the same headers"
    );
    assert_eq!(server.header("x-goog-user-project").as_deref(), Some("pay"));
    assert!(!ran.stderr.contains("blue"), "{ran:?}");
    let ran = lro
        .run(&format!(
            "get operations/1 -v --token-file {}",
            file.display()
        ))
        .await;
    assert_eq!(
        server.header("authorization").as_deref(),
        Some("Bearer t0ken-of-file")
    );
    assert!(!format!("{ran:?}").contains("t0ken"), "{ran:?}");
    lro.run("get operations/1 --token-command 'printf t0ken-of-command'")
        .await;
    assert_eq!(
        server.header("authorization").as_deref(),
        Some("Bearer t0ken-of-command")
    );
    // A flag wins over a variable, and that over the other kind of a lower rank.
    let both = lro.clone().variable("LRO_TOKEN", "t0ken-of-variable");
    both.run("get operations/1 --token-command 'printf t0ken-of-flag'")
        .await;
    assert_eq!(
        server.header("authorization").as_deref(),
        Some("Bearer t0ken-of-flag")
    );
    both.variable("LRO_TOKEN_COMMAND", "false")
        .run("get operations/1")
        .await;
    assert_eq!(
        server.header("authorization").as_deref(),
        Some("Bearer t0ken-of-variable")
    );
    let twice = lro
        .run("get operations/1 --token-command true --token-file x")
        .await;
    assert_eq!(twice.exit, Exit::Usage, "{twice:?}");
    let ran = lro.run("get operations/1 --token-command false").await;
    assert_eq!(ran.exit, Exit::Denied, "{ran:?}");
    // {"exp":1}
    let expired = lro
        .variable("LRO_TOKEN", "e30.eyJleHAiOjF9.x")
        .run("get operations/1")
        .await;
    assert_eq!(expired.exit, Exit::Denied, "{expired:?}");
    assert!(
        expired.stderr.contains("expired at 1970-01-01T00:00:01Z"),
        "{expired:?}"
    );
    // Not in plaintext to another machine.
    let ran = Lro::to("http://192.0.2.1:1")
        .variable("LRO_TOKEN", "x")
        .run("list")
        .await;
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
}
