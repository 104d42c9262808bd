//! The command against our own server.

use expect_test::expect;
use lro_cli::exit::Exit;

use crate::support::Lro;
use crate::support::live::Live;

/// The session without what differs from run to run: names, request ids, the port, durations.
fn steady(text: &str, live: &Live) -> String {
    let text = text.replace(&live.url(), "http://127.0.0.1:50051");
    let mut out = String::new();
    let mut rest = &*text;
    while let Some(at) = rest.find("operations/0") {
        let end = rest[at..]
            .find([' ', '\n', ',', ')', '"'])
            .map_or(rest.len(), |it| at + it);
        out.push_str(&rest[..at]);
        out.push_str("operations/ID");
        rest = &rest[end..];
    }
    out + rest
}

#[tokio::test]
async fn an_operation_is_started_and_waited_for() {
    let live = Live::start(None).await;
    let lro = Lro::to(&live.url()).variable("LRO_PROGRESS", "none");
    let session = lro
        .session("start Exporter/Export tables=users tables=orders --wait")
        .await;
    expect![[r#"
        $ lro start Exporter/Export tables=users tables=orders --wait
        operations/ID started
        {"tablesExported":2,"rows":"81234"}
    "#]]
    .assert_eq(&steady(&session, &live));
    // The same, as JSON from stdin, and without the wait.
    let json = r#"{"tables": ["users"]}"#;
    let ran = lro
        .clone()
        .stdin(json)
        .run("start exporter.v1.Exporter/Export -d - -q")
        .await;
    assert_eq!(ran.exit, Exit::Done);
    let name = ran.stdout.trim();
    assert!(name.starts_with("operations/"), "{ran:?}");
    let waited = lro.run(&format!("wait {name}")).await;
    assert_eq!(waited.stdout, "{\"tablesExported\":1,\"rows\":\"81234\"}\n");
    // By the end of its name, from stdin, and as the latest.
    let suffix = &name[name.len() - 12..];
    for words in [
        format!("get ..{suffix} -o name"),
        "get @latest -o name".to_owned(),
    ] {
        assert_eq!(lro.run(&words).await.stdout.trim(), name, "{words}");
    }
    let piped = lro.clone().stdin(&ran.stdout).run("get - -o name").await;
    assert_eq!(piped.stdout, ran.stdout);
}

#[tokio::test]
async fn a_wrong_field_names_the_right_one() {
    let live = Live::start(None).await;
    let lro = Lro::to(&live.url());
    let session = lro.session("start Exporter/Export tabels=users").await;
    expect![[r#"
        $ lro start Exporter/Export tabels=users
        error: exporter.v1.ExportRequest has no field `tabels`; did you mean `tables` (repeated string)?
        $ echo $?
        2
    "#]].assert_eq(&session);
    let session = lro
        .session(r#"start Exporter/Export -d '{"tabels":[]}'"#)
        .await;
    expect![[r#"
        $ lro start Exporter/Export -d '{"tabels":[]}'
        error: exporter.v1.ExportRequest `tabels`: no such field in exporter.v1.ExportRequest
          did you mean `tables`?
        $ echo $?
        2
    "#]]
    .assert_eq(&session);
    let session = lro.session("start Exporter/Exprot").await;
    expect![[r#"
        $ lro start Exporter/Exprot
        error: there is no method `Exporter/Exprot` that starts an operation
          did you mean `Exporter/Export`?
        server: http://127.0.0.1:50051
        $ echo $?
        2
    "#]]
    .assert_eq(&steady(&session, &live));
    let session = lro.session("start Exporter/GetTable name=x").await;
    expect![[r#"
        $ lro start Exporter/GetTable name=x
        error: exporter.v1.Exporter/GetTable returns exporter.v1.Table, and starts no operation
        $ echo $?
        2
    "#]]
    .assert_eq(&session);
}

#[tokio::test]
async fn a_template_is_a_request() {
    let live = Live::start(None).await;
    let lro = Lro::to(&live.url());
    let template = lro.run("start Exporter/Export --template").await;
    assert_eq!(template.stdout, "{\n  \"tables\": []\n}\n");
    let started = lro
        .stdin(&template.stdout)
        .run("start Exporter/Export -d - --wait -q")
        .await;
    assert_eq!(started.exit, Exit::Done, "{started:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_request_is_edited() {
    let live = Live::start(None).await;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("edit.sh");
    let edits = |command: &str| {
        std::fs::write(
            &script,
            format!("cp \"$1\" {}/seen\n{command}\n", folder.path().display()),
        )
        .unwrap();
        let editor = format!("sh {}", script.display());
        Lro::to(&live.url()).variable("EDITOR", &editor)
    };
    let lro = edits(r#"sed -i 's/"tables": \[\]/"tables": ["a", "b"]/' "$1""#);
    let ran = lro.run("start Exporter/Export --edit --wait -q").await;
    assert_eq!(
        ran.stdout, "{\"tablesExported\":2,\"rows\":\"81234\"}\n",
        "{ran:?}"
    );
    let seen = std::fs::read_to_string(folder.path().join("seen")).unwrap();
    assert!(seen.contains("//   tables: repeated string\n"), "{seen}");
    // Left as it was, it starts nothing.
    let ran = edits(":").run("start Exporter/Export --edit").await;
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
    // A mistake keeps the work.
    let ran = edits(r#"echo '{"tabels":[]}' > "$1""#)
        .run("start Exporter/Export --edit")
        .await;
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
    let kept = ran.stderr.split("your request is in ").nth(1).unwrap();
    let kept = kept.split(": correct").next().unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "{\"tabels\":[]}\n");
    std::fs::remove_file(kept).unwrap();
    let ran = edits("exit 3").run("start Exporter/Export --edit").await;
    assert_eq!(ran.exit, Exit::Fault, "{ran:?}");
}

#[tokio::test]
async fn a_failed_and_a_cancelled_operation_have_codes_of_their_own() {
    let live = Live::start(None).await;
    let lro = Lro::to(&live.url()).variable("LRO_PROGRESS", "none");
    let failed = lro.run("start Exporter/Export tables=missing --wait").await;
    assert_eq!(failed.exit, Exit::Failed, "{failed:?}");
    assert!(
        failed
            .stderr
            .contains("NOT_FOUND: there is no table `missing`"),
        "{failed:?}"
    );
    assert!(
        failed
            .stderr
            .contains("resource         Table missing: it was dropped"),
        "{failed:?}"
    );
    // To show it is no failure.
    assert_eq!(lro.run("get @latest").await.exit, Exit::Done);
    let name = lro
        .run("start Exporter/Export tables=endless -q")
        .await
        .stdout;
    let name = name.trim();
    let waited = lro.run(&format!("wait {name} --timeout 2s")).await;
    assert_eq!(waited.exit, Exit::TimedOut, "{waited:?}");
    assert!(
        waited.stderr.contains("nothing was cancelled"),
        "{waited:?}"
    );
    let cancelled = lro
        .run(&format!("cancel {name} --reason 'not needed'"))
        .await;
    assert_eq!(cancelled.exit, Exit::Done, "{cancelled:?}");
    assert_eq!(lro.run(&format!("wait {name}")).await.exit, Exit::Cancelled);
    assert_eq!(
        lro.run(&format!("wait {name} --until cancelled"))
            .await
            .exit,
        Exit::Done
    );
    // One that is done is not cancelled any more.
    let late = lro.run("start Exporter/Export tables=a --wait -q").await;
    assert_eq!(late.exit, Exit::Done);
    let late = lro.run("cancel @latest").await;
    assert_ne!(late.exit, Exit::Done, "{late:?}");
    // Deleted, it is not found.
    assert_eq!(lro.run(&format!("delete {name}")).await.exit, Exit::Done);
    let absent = lro.run(&format!("get {name}")).await;
    assert_eq!(absent.exit, Exit::NotFound, "{absent:?}");
    assert_eq!(lro.run(&format!("wait {name}")).await.exit, Exit::NotFound);
    let allowed = lro.run(&format!("wait {name} --if-missing ok")).await;
    assert_eq!(allowed.exit, Exit::Done, "{allowed:?}");
}

#[tokio::test]
async fn methods_services_and_counts() {
    let live = Live::start(None).await;
    let lro = Lro::to(&live.url());
    expect![[r#"
        $ lro methods
          METHOD                       REQUEST                    RESPONSE                    METADATA
          exporter.v1.Exporter/Export  exporter.v1.ExportRequest  exporter.v1.ExportResponse  exporter.v1.ExportMetadata
    "#]].assert_eq(&lro.session("methods").await);
    let services = lro.run("services -o name").await;
    assert!(
        services.stdout.contains("exporter.v1.Exporter\n"),
        "{services:?}"
    );
    lro.run("start Exporter/Export tables=a --wait -q").await;
    lro.run("start Exporter/Export tables=missing --wait -q")
        .await;
    expect![[r#"
        $ lro count
        SUCCEEDED          1
        FAILED             1
        total              2
    "#]]
    .assert_eq(&lro.session("count").await);
    let bounded = lro.run("count --bound 1").await;
    assert!(bounded.stdout.contains("1+"), "{bounded:?}");
    let failed = lro.run("list --state failed -o name").await;
    assert_eq!(failed.stdout.lines().count(), 1, "{failed:?}");
    let none = lro.run("list --state pending --since 1h").await;
    assert!(
        none.stderr.contains("There are no such operations."),
        "{none:?}"
    );
    assert_eq!(
        lro.run("list --since 1h -o name")
            .await
            .stdout
            .lines()
            .count(),
        2
    );
}

#[tokio::test]
async fn the_doctor_finds_our_server_well() {
    let live = Live::start(None).await;
    let lro = Lro::to(&live.url());
    lro.run("start Exporter/Export tables=a --wait -q").await;
    let doctor = lro.run("doctor").await;
    assert_eq!(doctor.exit, Exit::Done);
    let steady: Vec<&str> = doctor
        .stdout
        .lines()
        .filter(|line| !line.starts_with("Get"))
        .collect();
    let steady = steady
        .join("\n")
        .replace(&live.url(), "http://127.0.0.1:50051");
    expect![[r#"
        tls         no   not used: http://127.0.0.1:50051 is on this machine
        auth        no   no token
        reflection  ok   v1, 5 services
        List        ok
        Wait        ok
        Cancel      ?    not tried: it changes something
        Delete      ?    not tried: it changes something
        filter      ok   AIP-160
        inspection  no   methods, callers, attempts and workers are not told
        clock       ok   not behind the newest operation"#]]
    .assert_eq(&steady);
}

#[tokio::test]
async fn a_read_only_profile_changes_nothing() {
    let live = Live::start(None).await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let text = format!(
        "[profiles.prod]\nserver = '{}'\nread_only = true\n",
        live.url()
    );
    std::fs::write(&config, text).unwrap();
    let lro = Lro::to("http://127.0.0.1:1").variable("LRO_CONFIG", config.to_str().unwrap());
    let lro = lro.variable("LRO_SERVER", "");
    for words in [
        "start Exporter/Export -p prod",
        "cancel operations/1 -p prod",
        "delete operations/1 -p prod",
    ] {
        let ran = lro
            .clone()
            .variable("LRO_READ_ONLY", "false")
            .run(words)
            .await;
        assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
        assert!(
            ran.stderr
                .contains("`read_only` is true (from profile prod)"),
            "{ran:?}"
        );
    }
    assert_eq!(lro.run("list -p prod").await.exit, Exit::Done);
}

/// Each command in each of its forms. The parser is serde_json, and not the crate that writes.
#[tokio::test]
async fn every_form_is_read_by_another_parser() {
    let live = Live::inspected().await.remove(0);
    let lro = Lro::to(&live.url()).variable("LRO_PROGRESS", "none");
    let document = |text: &str| serde_json::from_str::<serde_json::Value>(text);
    let started = lro
        .run("start Exporter/Export tables=a --wait -o json")
        .await;
    let started = document(&started.stdout).unwrap();
    let name = started["name"].as_str().unwrap();
    lro.run("start Exporter/Export tables=missing --wait -q")
        .await;
    for words in [
        "list".to_owned(),
        format!("get {name}"),
        format!("describe {name}"),
        format!("wait {name}"),
        format!("watch {name}"),
        "count".to_owned(),
        "methods".to_owned(),
        "services".to_owned(),
        "workers".to_owned(),
        "doctor".to_owned(),
        "filter".to_owned(),
        "start Exporter/Export tables=b".to_owned(),
        format!("resubmit {name}"),
    ] {
        let ran = lro.run(&format!("{words} -o json")).await;
        assert_eq!(ran.exit, Exit::Done, "{words}: {ran:?}");
        let whole = document(&ran.stdout);
        assert!(whole.is_ok(), "{words}: {ran:?}");
        let ran = lro.run(&format!("{words} -o ndjson")).await;
        assert_eq!(ran.exit, Exit::Done, "{words}: {ran:?}");
        assert!(!ran.stdout.is_empty(), "{words}");
        for line in ran.stdout.lines() {
            assert!(document(line).unwrap().is_object(), "{words}: {line}");
        }
    }
    for words in ["list", "methods", "services", "workers", "filter"] {
        let ran = lro.run(&format!("{words} -o name")).await;
        assert!(ran.stdout.lines().count() > 0, "{ran:?}");
        assert!(
            ran.stdout.lines().all(|it| !it.contains([' ', '\t'])),
            "{ran:?}"
        );
    }
    let ran = lro.run(&format!("get {name} -o token")).await;
    let token: lro_client::ResumeToken = ran.stdout.trim().parse().unwrap();
    assert_eq!(token.name(), name);
    let ran = lro.run("list -o 'value(name,state,error.code)'").await;
    assert!(
        ran.stdout.lines().all(|line| line.split('\t').count() == 3),
        "{ran:?}"
    );
}
