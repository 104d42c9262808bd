//! Sessions with a server that has the inspection service: a fixed clock, 80 columns, no colours.

use expect_test::expect;
use lro_core::inspection::operation_record::State;
use lro_core::inspection::{OperationRecord, Policy};

use crate::support::fake::{Fake, Script};
use crate::support::inspected::record;
use crate::support::types::{failed, pack, running};
use crate::support::{Hands, Lro};

const E41D: &str = "operations/0197c2aa-0000-7000-8000-00000000e41d";
const NINE_C: &str = "operations/0197c29f-0000-7000-8000-000000009c02";
const SEVENTY_SEVEN: &str = "operations/0197b1aa-0000-7000-8000-0000000077aa";
const TEN_FE: &str = "operations/0197b0aa-0000-7000-8000-0000000010fe";
const NOW: &str = "2026-11-28T19:42:14Z";

fn four() -> Script {
    use lro_client::tonic_types::pb;
    let at = |created: &str, rest: &str| format!("{{\"createTime\":\"{created}\"{rest}}}");
    let first = at(
        "2026-11-28T19:40:00Z",
        r#","tablesDone":5,"tablesTotal":8,"current":"orders""#,
    );
    let second = at(
        "2026-11-28T19:39:58Z",
        r#","tablesDone":1,"tablesTotal":11,"current":"users""#,
    );
    let third = at(
        "2026-11-28T18:39:14Z",
        r#","endTime":"2026-11-28T18:39:26Z""#,
    );
    let fourth = at("2026-11-28T16:42:14Z", "");
    let violation = pb::BadRequest {
        field_violations: vec![pb::bad_request::FieldViolation {
            field: "tables[1]".into(),
            description: "did you mean `orders`?".into(),
            ..Default::default()
        }],
    };
    let resource = pb::ResourceInfo {
        resource_type: "Table".into(),
        resource_name: "tables/oders".into(),
        ..Default::default()
    };
    let details = vec![
        pack("BadRequest", &violation),
        pack("ResourceInfo", &resource),
    ];
    let message = "there is no table `oders`";
    let mut script = Script::new()
        .operation(running(E41D, &first))
        .operation(running(NINE_C, &second))
        .operation(failed(SEVENTY_SEVEN, &third, 5, message, details))
        .operation(failed(TEN_FE, &fourth, 4, "too slow", Vec::new()))
        .operation(failed("operations/old", &fourth, 4, "", Vec::new()));
    let third_of_three = OperationRecord {
        attempt: 3,
        policy: Some(Policy {
            max_attempts: 3,
            ..Default::default()
        }),
        ..record(State::Failed, "Exporter/Export", "cron")
    };
    script.records = [
        (E41D, record(State::Running, "Exporter/Export", "alice")),
        (NINE_C, record(State::Running, "Exporter/Export", "alice")),
        (SEVENTY_SEVEN, third_of_three),
        (TEN_FE, record(State::Failed, "Exporter/Render", "bob")),
        (
            "operations/old",
            record(State::Failed, "Exporter/Render", "bob"),
        ),
    ]
    .map(|(name, record)| (name.to_owned(), record))
    .into();
    script
}

fn terminal(server: &Fake) -> Lro {
    Lro::to(&server.url)
        .clock(&Hands::at(NOW))
        .terminal(80)
        .variable("NO_COLOR", "1")
        .variable("LRO_PROGRESS", "none")
}

#[tokio::test]
async fn a_list_tells_methods_and_callers() {
    let server = Fake::start(four()).await;
    let session = terminal(&server)
        .session("list --state running,failed --limit 4")
        .await;
    expect![[r#"
        $ lro list --state running,failed --limit 4
          STATE    NAME              METHOD           PROGRESS           AGE    BY
          RUNNING  operations/…e41d  Exporter/Export  [######----] 62 %  2m14s  alice
          RUNNING  operations/…9c02  Exporter/Export  [#---------]  9 %  2m16s  alice
        ✗ FAILED   operations/…77aa  Exporter/Export  NOT_FOUND          1h03m  cron
        ✗ FAILED   operations/…10fe  Exporter/Render  DEADLINE_EXCEEDED  3h     bob
        There are more: lro list --state running,failed --page-token=4
    "#]]
    .assert_eq(&session);
}

#[tokio::test]
async fn a_failed_operation_tells_its_attempts_and_how_to_start_it_again() {
    let server = Fake::start(four()).await;
    let session = terminal(&server).session("wait …77aa").await;
    expect![[r#"
        $ lro wait …77aa
        ✗ operations/0197b1…77aa failed after 12s, in attempt 3 of 3
          NOT_FOUND: there is no table `oders`
          field_violation  tables[1]: did you mean `orders`?
          resource         Table tables/oders
        Again: lro resubmit operations/0197b1aa-0000-7000-8000-0000000077aa --edit   Details: lro describe operations/0197b1aa-0000-7000-8000-0000000077aa
        $ echo $?
        3
    "#]]
    .assert_eq(&session);
    // A script that wants no talk costs no further call.
    let calls = server.calls().len();
    terminal(&server)
        .run(&format!("wait {SEVENTY_SEVEN} -q"))
        .await;
    assert_eq!(server.calls().len(), calls + 1, "{:?}", server.calls());
}

#[tokio::test]
async fn a_child_tells_its_parent_and_how_to_see_it() {
    let mut script = Script::new().operation(running("operations/node", "{}"));
    let child = OperationRecord {
        parent_operation: "operations/cluster".to_owned(),
        parent_step: "node/a".to_owned(),
        ..record(State::Running, "Clusters/CreateNode", "alice")
    };
    script.records.insert("operations/node".to_owned(), child);
    let server = Fake::start(script).await;
    let session = terminal(&server).session("describe operations/node").await;
    expect![[r#"
        $ lro describe operations/node
        name         operations/node
        state        RUNNING
        method       Clusters/CreateNode
        by           alice
        child of     operations/cluster, step node/a
        metadata:
          {
            "@type": "type.googleapis.com/google.example.v1.ExportMetadata"
          }
        Parent: lro steps operations/cluster
        Watch: lro watch operations/node   Cancel: lro cancel operations/node
    "#]]
    .assert_eq(&session);
}

#[tokio::test]
async fn a_bulk_cancellation_tells_states_and_methods() {
    let mut script = Script::new();
    for index in 0..12 {
        let name = format!("operations/0197c2aa-0000-7000-8000-0000000000{index:02}");
        let (state, method) = if index < 8 {
            (State::Running, "Exporter/Export")
        } else {
            (State::Pending, "Exporter/Render")
        };
        script = script.operation(running(&name, "{}"));
        script.records.insert(name, record(state, method, "alice"));
    }
    let server = Fake::start(script).await;
    let clock = Hands::at("2026-11-28T19:44:10Z");
    let lro = terminal(&server).clock(&clock).stdin("12\n");
    let filter = r#"cancel --filter 'labels.batch = "nightly" AND done = false'"#;
    let session = lro.session(filter).await;
    expect![[r#"
        $ lro cancel --filter 'labels.batch = "nightly" AND done = false'
        12 operations match (snapshot 19:44:10, newest operations/0197c2…0000):
          8 RUNNING  Exporter/Export     4 PENDING  Exporter/Render
        Cancel them? Type 12 to continue: [##########] 12 of 12   12 cancelled
    "#]]
    .assert_eq(&session);
}
