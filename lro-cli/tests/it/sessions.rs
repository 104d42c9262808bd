//! Whole sessions, as the documentation shows them: a fixed clock, 80 columns, no colours.

use expect_test::expect;
use lro_cli::exit::Exit;
use prost_types::Any;

use crate::support::fake::{Fake, Script, Step};
use crate::support::types::{failed, pack, running, succeeded};
use crate::support::{Hands, Lro, time};

const E41D: &str = "operations/0197c2aa-0000-7000-8000-00000000e41d";
const NINE_C: &str = "operations/0197c29f-0000-7000-8000-000000009c02";
const SEVENTY_SEVEN: &str = "operations/0197b1aa-0000-7000-8000-0000000077aa";
const TEN_FE: &str = "operations/0197b0aa-0000-7000-8000-0000000010fe";

const NOW: &str = "2026-11-28T19:42:14Z";

fn at(created: &str, rest: &str) -> String {
    format!("{{\"createTime\":\"{created}\"{rest}}}")
}

/// Four operations, newest first, and more behind them.
fn four() -> Script {
    let metadata = at(
        "2026-11-28T19:40:00Z",
        r#","tablesDone":5,"tablesTotal":8,"current":"orders""#,
    );
    let other = at(
        "2026-11-28T19:39:58Z",
        r#","tablesDone":1,"tablesTotal":11,"current":"users""#,
    );
    let hour = at(
        "2026-11-28T18:39:14Z",
        r#","endTime":"2026-11-28T18:39:26Z""#,
    );
    let three = at("2026-11-28T16:42:14Z", "");
    Script::new()
        .operation(running(E41D, &metadata))
        .operation(running(NINE_C, &other))
        .operation(failed(
            SEVENTY_SEVEN,
            &hour,
            5,
            "there is no table `oders`",
            details(),
        ))
        .operation(failed(TEN_FE, &three, 4, "too slow", Vec::new()))
        .operation(failed("operations/old", &three, 4, "too slow", Vec::new()))
}

fn details() -> Vec<Any> {
    use lro_client::tonic_types::pb;
    vec![
        pack(
            "BadRequest",
            &pb::BadRequest {
                field_violations: vec![pb::bad_request::FieldViolation {
                    field: "tables[1]".into(),
                    description: "did you mean `orders`?".into(),
                    ..Default::default()
                }],
            },
        ),
        pack(
            "ResourceInfo",
            &pb::ResourceInfo {
                resource_type: "Table".into(),
                resource_name: "tables/oders".into(),
                ..Default::default()
            },
        ),
    ]
}

#[tokio::test]
async fn a_list_on_a_terminal() {
    let server = Fake::start(four()).await;
    let lro = Lro::to(&server.url)
        .clock(&Hands::at(NOW))
        .terminal(80)
        .variable("NO_COLOR", "1");
    let session = lro.session("list --state running,failed --limit 4").await;
    expect![[r#"
        $ lro list --state running,failed --limit 4
          STATE    NAME              TYPE            PROGRESS           AGE
          RUNNING  operations/…e41d  ExportMetadata  [######----] 62 %  2m14s
          RUNNING  operations/…9c02  ExportMetadata  [#---------]  9 %  2m16s
        ✗ FAILED   operations/…77aa  ExportMetadata  NOT_FOUND          1h03m
        ✗ FAILED   operations/…10fe  ExportMetadata  DEADLINE_EXCEEDED  3h
        There are more: lro list --state running,failed --page-token=4
    "#]]
    .assert_eq(&session);
}

#[tokio::test]
async fn a_list_off_a_terminal_is_not_cut() {
    let server = Fake::start(four()).await;
    let lro = Lro::to(&server.url).clock(&Hands::at(NOW));
    let session = lro.session("list --limit 2 -o wide").await;
    expect![[r#"
        $ lro list --limit 2 -o wide
          STATE    NAME                                             TYPE                              PROGRESS           AGE    CREATED               ENDED  ERROR
          RUNNING  operations/0197c2aa-0000-7000-8000-00000000e41d  google.example.v1.ExportMetadata  [######----] 62 %  2m14s  2026-11-28T19:40:00Z  -
          RUNNING  operations/0197c29f-0000-7000-8000-000000009c02  google.example.v1.ExportMetadata  [#---------]  9 %  2m16s  2026-11-28T19:39:58Z  -
        There are more: lro list --page-token=2
    "#]].assert_eq(&session);
}

#[tokio::test]
async fn a_wait_in_a_log() {
    let metadata = |done: u32, rest: &str| {
        let rest = format!(",\"tablesDone\":{done},\"tablesTotal\":8{rest}");
        at("2026-11-28T19:37:47Z", &rest)
    };
    let clock = Hands::at("2026-11-28T19:40:02Z");
    let mut script = Script::new().steps(
        E41D,
        vec![
            Step(
                Ok(running(E41D, &metadata(5, ""))),
                Some(time("2026-11-28T19:40:02Z")),
            ),
            Step(
                Ok(running(E41D, &metadata(5, ""))),
                Some(time("2026-11-28T19:40:22Z")),
            ),
            // Within 10 s: held back, and then told with the next answer.
            Step(
                Ok(running(E41D, &metadata(6, ""))),
                Some(time("2026-11-28T19:40:41Z")),
            ),
            Step(
                Ok(running(E41D, &metadata(7, ""))),
                Some(time("2026-11-28T19:40:45Z")),
            ),
            Step(
                Ok(succeeded(
                    E41D,
                    &metadata(8, r#","endTime":"2026-11-28T19:41:03Z""#),
                    r#"{"tablesExported":8,"rows":"81234"}"#,
                )),
                Some(time("2026-11-28T19:41:03Z")),
            ),
        ],
    );
    script.clock = clock.clone();
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url).clock(&clock);
    let session = lro.session(&format!("wait {E41D} --timeout 5m")).await;
    expect![[r#"
        $ lro wait operations/0197c2aa-0000-7000-8000-00000000e41d --timeout 5m
        19:40:02 operations/0197c2…e41d RUNNING 5 of 8 tables
        19:40:41 operations/0197c2…e41d RUNNING 6 of 8 tables
        19:41:03 operations/0197c2…e41d SUCCEEDED after 3m16s
        {"tablesExported":8,"rows":"81234"}
    "#]]
    .assert_eq(&session);
}

#[tokio::test]
async fn a_wait_for_a_failed_operation() {
    let server = Fake::start(four()).await;
    let lro = Lro::to(&server.url)
        .clock(&Hands::at(NOW))
        .variable("LRO_PROGRESS", "none");
    let session = lro.session("wait ..77aa").await;
    expect![[r#"
        $ lro wait ..77aa
        ✗ operations/0197b1…77aa failed after 12s
          NOT_FOUND: there is no table `oders`
          field_violation  tables[1]: did you mean `orders`?
          resource         Table tables/oders
        Details: lro describe operations/0197b1aa-0000-7000-8000-0000000077aa
        $ echo $?
        3
    "#]]
    .assert_eq(&session);
}

#[tokio::test]
async fn a_cancellation_by_filter_asks_for_the_count() {
    let mut script = Script::new();
    for index in 0..12 {
        let name = format!("operations/0197c2aa-0000-7000-8000-0000000000{index:02}");
        let state = running(&name, r#"{"tablesTotal":3}"#);
        script = if index == 7 {
            let done = succeeded(&name, r#"{"tablesDone":3,"tablesTotal":3}"#, "{}");
            script.steps(&name, vec![Step(Ok(state), None), Step(Ok(done), None)])
        } else {
            script.operation(state)
        };
    }
    let server = Fake::start(script).await;
    let clock = Hands::at("2026-11-28T19:44:10Z");
    let lro = Lro::to(&server.url).clock(&clock).terminal(80);
    let lro = lro.variable("LRO_PROGRESS", "none");
    let filter = r#"cancel --filter 'labels.batch = "nightly" AND done = false'"#;
    // Another answer, another count, and no terminal do nothing.
    let flags = [
        ("", "yes\n"),
        ("-y --expect 11", ""),
        ("-y", ""),
        ("--dry-run", ""),
    ];
    for (flags, answer) in flags {
        let ran = lro
            .clone()
            .stdin(answer)
            .run(&format!("{filter} {flags}"))
            .await;
        assert_eq!(
            ran.exit == Exit::Done,
            flags == "--dry-run",
            "{flags}: {ran:?}"
        );
    }
    let silent = Lro::to(&server.url)
        .variable("CI", "true")
        .run(filter)
        .await;
    assert_eq!(silent.exit, Exit::Usage, "{silent:?}");
    assert!(silent.stderr.contains("-y --expect 12"), "{silent:?}");
    let calls = server.calls();
    assert!(
        calls.iter().all(|call| call.starts_with("list")),
        "{calls:?}"
    );
    let session = lro.stdin("12\n").session(filter).await;
    expect![[r#"
        $ lro cancel --filter 'labels.batch = "nightly" AND done = false'
        12 operations match (snapshot 19:44:10, newest operations/0197c2…0000):
          12 RUNNING  ExportMetadata
        Cancel them? Type 12 to continue: [##########] 12 of 12   11 cancelled, 1 succeeded first
        $ echo $?
        9
    "#]]
    .assert_eq(&session);
    let calls = server.calls();
    let cancelled = calls
        .iter()
        .filter(|call| call.starts_with("cancel"))
        .count();
    assert_eq!(cancelled, 12, "{calls:?}");
}

#[tokio::test]
async fn a_refused_filter_has_a_caret() {
    let server = Fake::start(four()).await;
    let session = Lro::to(&server.url)
        .session("list --filter 'done = flase'")
        .await;
    let session = session.replace(&server.url, "http://127.0.0.1:50051");
    expect![[r#"
        $ lro list --filter 'done = flase'
        error: the server refused the filter
          done = flase
                 ^^^^^ expected a boolean, found `flase`; write true or false
        server: http://127.0.0.1:50051   code: INVALID_ARGUMENT   reason: INVALID_FILTER
        $ echo $?
        2
    "#]]
    .assert_eq(&session);
}

#[tokio::test]
async fn values_for_scripts() {
    let server = Fake::start(four()).await;
    let lro = Lro::to(&server.url);
    // A tab is written as <TAB>.
    let session = lro
        .session("list --all -o 'value(name,error.code,metadata.tables_done)'")
        .await;
    expect![[r#"
        $ lro list --all -o 'value(name,error.code,metadata.tables_done)'
        operations/0197c2aa-0000-7000-8000-00000000e41d<TAB><TAB>5
        operations/0197c29f-0000-7000-8000-000000009c02<TAB><TAB>1
        operations/0197b1aa-0000-7000-8000-0000000077aa<TAB>5<TAB>0
        operations/0197b0aa-0000-7000-8000-0000000010fe<TAB>4<TAB>0
        operations/old<TAB>4<TAB>0
    "#]]
    .assert_eq(&session.replace('\t', "<TAB>"));
}

#[tokio::test]
async fn a_description() {
    let server = Fake::start(four()).await;
    let lro = Lro::to(&server.url)
        .clock(&Hands::at(NOW))
        .terminal(80)
        .variable("NO_COLOR", "1");
    let session = lro.session("describe ..e41d").await;
    expect![[r#"
        $ lro describe ..e41d
        name         operations/0197c2aa-0000-7000-8000-00000000e41d
        state        RUNNING
        created      2m14s ago
        progress     [######----]  62 %  5 of 8 tables  (by a pair of counters)
        metadata:
          {
            "@type": "type.googleapis.com/google.example.v1.ExportMetadata",
            "tablesDone": 5,
            "tablesTotal": 8,
            "current": "orders",
            "createTime": "2026-11-28T19:40:00Z"
          }
        Watch: lro watch operations/0197c2aa-0000-7000-8000-00000000e41d   Cancel: lro cancel operations/0197c2aa-0000-7000-8000-00000000e41d
    "#]].assert_eq(&session);
}
