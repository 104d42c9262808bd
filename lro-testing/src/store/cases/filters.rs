use lro_core::store::OperationOutcome;
use lro_core::{Timestamp, pb};

use crate::store::build::*;
use crate::store::filters::{compare_filters, list_all, query};
use crate::store::trial::{Trial, names};

/// 2024-01-01T00:00:00Z.
const NEW_YEAR: u64 = 1_704_067_200;
const DAY: u64 = 86_400;

/// The cases of the project's table of filters that are about what stores keep, with the number of
/// each and the operations that match, the newest first. `5` is `operations/OP-5`.
const TABLE: &[(&str, &str, &[u8])] = &[
    ("F002", "   \t\n ", &[5, 4, 3, 2, 1]),
    (
        "F003",
        "done = true AND labels.env = prod OR labels.env = dev",
        &[3, 2],
    ),
    (
        "F005",
        "labels.env = dev OR (done = true AND error.code = 5)",
        &[3, 2],
    ),
    (
        "F006",
        "done = true OR done = false AND labels.env = prod",
        &[3, 1],
    ),
    (
        "F009",
        "done = true labels.env = dev OR labels.env = prod",
        &[3, 2],
    ),
    ("F010", "labels.env = prod done = true", &[3]),
    ("F014", "NOT done = true OR labels.env = prod", &[5, 3, 1]),
    ("F017", "NOT done = true AND NOT labels.env = prod", &[5]),
    ("F032", "labels.AND = x", &[]),
    ("F033", "labels.NOT:*", &[]),
    ("F037", "-done = true", &[5, 1]),
    ("F038", "-(done = true)", &[5, 1]),
    ("F040", "NOT  \t done = true", &[5, 1]),
    ("F050", "labels.env=dev-1", &[]),
    ("F051", "done=true -labels.env=prod", &[4, 2]),
    ("F054", "labels.env != prod", &[2]),
    ("F055", "NOT labels.env = prod", &[5, 4, 2]),
    ("F056", "error.code != 5", &[4]),
    ("F060", "done = false", &[5, 1]),
    ("F062", "NOT end_time < \"2025-01-01T00:00:00Z\"", &[5, 1]),
    ("F063", "error = null", &[5, 2, 1]),
    ("F067", "labels:env", &[3, 2, 1]),
    ("F068", "labels.env:*", &[3, 2, 1]),
    ("F071", "NOT labels:*", &[5, 4]),
    ("F072", "labels:\"key with space\"", &[1]),
    ("F073", "labels.\"key with space\" = v1", &[1]),
    ("F074", "labels.\"key with space\":*", &[1]),
    ("F075", "error:*", &[4, 3]),
    ("F076", "-error:*", &[5, 2, 1]),
    ("F091", "end_time:*", &[4, 3, 2]),
    ("F093", "name:\"operations/op-1\"", &[1]),
    ("F095", "labels : env", &[3, 2, 1]),
    ("F098", "name = \"operations/op-1\"", &[1]),
    ("F099", "name = 'operations/op-1'", &[1]),
    ("F100", "name = operations/op-1", &[1]),
    ("F103", "name = \"\"", &[]),
    ("F108", "name = \"\\u006fperations/op-1\"", &[1]),
    ("F118", "name > \"operations/a\"", &[4, 3, 2, 1]),
    ("F123", "name = \"*-1\"", &[1]),
    ("F126", "name = \"*\"", &[5, 4, 3, 2, 1]),
    ("F127", "name != \"operations/op-*\"", &[5]),
    ("F166", "done != true", &[5, 1]),
    ("F168", "done:true", &[4, 3, 2]),
    ("F178", "create_time > \"2024-01-02T00:00:00Z\"", &[5, 4, 3]),
    ("F179", "create_time = \"2024-01-04T00:00:00Z\"", &[5, 4]),
    (
        "F180",
        "create_time = \"2024-01-03T19:00:00-05:00\"",
        &[5, 4],
    ),
    ("F189", "create_time > \"2024-02-29T00:00:00Z\"", &[]),
    ("F219", "( done = true )", &[4, 3, 2]),
    ("F221", "  done=true  ", &[4, 3, 2]),
    ("F222", "done\n=\ntrue\nAND\nlabels.env\n=\ndev", &[2]),
    ("F223", "done\u{a0}=\u{a0}true", &[4, 3, 2]),
    ("F259", "labels.1 = x", &[]),
    ("F263", "name = \"\u{1f680}*\"", &[]),
    // Not of the table: what SQL would say otherwise.
    ("null 1", "NOT error.code = 5", &[5, 4, 2, 1]),
    (
        "null 2",
        "NOT (error.code = 5 OR labels.env = prod)",
        &[5, 4, 2],
    ),
    ("null 3", "NOT (NOT error.message = \"*not found\")", &[3]),
    (
        "null 4",
        "end_time != null AND NOT expire_time = null",
        &[4, 3, 2],
    ),
    ("null 5", "start_time = null", &[5, 4, 3, 2]),
    ("case 1", "name = \"OPERATIONS/*\"", &[]),
    ("case 2", "labels.zone = b", &[]),
    ("case 3", "labels.Zone = b", &[3]),
    ("like 1", "name = \"operations/op_*\"", &[]),
    ("like 2", "name = \"operations/%*\"", &[]),
    ("like 3", "name = \"operations/op-\\**\"", &[]),
    ("like 4", "name = \"*ons/OP*\"", &[5]),
    ("state 1", "state = FAILED OR state = CANCELLED", &[4, 3]),
    ("state 2", "state != SUCCEEDED AND done = true", &[4, 3]),
    ("state 3", "state = RUNNING", &[1]),
    ("state 4", "state = (PENDING OR SUCCEEDED)", &[5, 2]),
    ("state 5", "state = FAILED AND done = false", &[]),
    (
        "method 1",
        "method = \"/lib.v1.Library/ImportBooks\"",
        &[4, 2, 1],
    ),
    (
        "method 2",
        "method = \"*Books\" AND state = CANCELLED",
        &[4],
    ),
    ("method 3", "NOT method = \"*/ImportBooks\"", &[5, 3]),
    (
        "method 4",
        "method = \"/lib.v1.Library/De*\" OR done = false",
        &[5, 3, 1],
    ),
    (
        "label 1",
        "labels.env = \"*\" AND labels.team = search",
        &[1],
    ),
    ("label 2", "labels.env > dev", &[3, 1]),
    (
        "label 3",
        "labels.env = (dev OR prod) AND done = true",
        &[3, 2],
    ),
    ("label 4", "labels.env = \"p*\" OR labels.Zone:*", &[3, 1]),
    ("attempt 1", "attempt >= 1", &[1]),
    (
        "time 1",
        "create_time >= \"2024-01-02T00:00:00Z\" AND create_time < \"2024-01-04T00:00:00Z\"",
        &[3, 2],
    ),
    (
        "time 2",
        "NOT create_time < \"2024-01-04T00:00:00Z\"",
        &[5, 4],
    ),
    (
        "time 3",
        "update_time > \"2024-01-02T00:00:00Z\" AND done = true",
        &[4, 3],
    ),
    (
        "time 4",
        "create_time > \"2024-01-02T00:00:00Z\" AND create_time < \"2024-01-01T00:00:00Z\"",
        &[],
    ),
];

const IDS: [&str; 5] = ["op-1", "op-2", "op-3", "op-4", "OP-5"];

/// spec:120
pub(crate) async fn every_case_of_the_table_of_filters(trial: Trial) {
    let (import, delete) = ("/lib.v1.Library/ImportBooks", "/lib.v1.Library/DeleteBook");
    let not_found = error(5, "Book \"x\" not found");
    let several = labels([
        ("env", "prod"),
        ("team", "search"),
        ("key with space", "v1"),
    ]);
    for (n, day, method, labels, outcome) in [
        (0, 0, import, several, None),
        (
            1,
            1,
            import,
            labels([("env", "dev")]),
            Some(OperationOutcome::Response(any("r"))),
        ),
        (
            2,
            2,
            delete,
            labels([("env", "prod"), ("Zone", "b")]),
            Some(not_found),
        ),
        (3, 3, import, labels([]), Some(error(1, "cancelled"))),
        (4, 3, "/lib.v1.Library/Reindex", labels([]), None),
    ] {
        let seconds = NEW_YEAR + day * DAY;
        trial
            .clock
            .set(Timestamp::from_micros((seconds * 1_000_000) as i64));
        let mut new = trial.operation(&format!("operations/{}", IDS[n]));
        (new.labels, new.outcome) = (labels, outcome);
        new.claimed_by = (n == 0).then(|| (worker(1), LEASE));
        trial.started(new.method(method)).await;
    }
    for (case, text, wanted) in TABLE {
        let wanted = wanted.iter().map(|n| IDS[usize::from(*n) - 1]);
        let wanted: Vec<_> = wanted.map(|id| format!("operations/{id}")).collect();
        for limit in [50, 2] {
            let found = list_all(trial.store(), query("", text, limit)).await;
            assert_eq!(names(&found), wanted, "{case}: {text}");
        }
    }
}

/// spec:101
pub(crate) async fn what_is_looked_at_for_a_page_is_bounded(trial: Trial) {
    let mut new = trial.operation("operations/first");
    new.metadata = Some(any("m"));
    let rare = trial.started(new).await;
    for n in 0..60 {
        trial.pending(&numbered("", n)).await;
    }
    // No index knows of metadata.
    let mut query = query("", "metadata:*", 5);
    query.max_examined = 10;
    let (mut empty, mut found) = (0, Vec::new());
    loop {
        let page = trial.store().list(query.clone()).await.unwrap();
        empty += usize::from(page.records.is_empty());
        found.extend(page.records);
        assert!(page.next != query.after || page.next.is_none(), "no way on");
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(found, [rare.public_part()]);
    assert!(empty >= 1, "a page looked at far more than it may");
    let page = query_of_all(&trial).await;
    assert_eq!(page, 61, "without the bound nothing is cut");
}

async fn query_of_all(trial: &Trial) -> usize {
    let page = trial.store().list(query("", "", 100)).await.unwrap();
    page.records.len()
}

/// spec:120
pub(crate) async fn hidden_and_removed_operations_match_no_filter(trial: Trial) {
    for n in 0..6 {
        let mut new = trial.operation(&numbered("", n));
        new.labels = labels([("env", "prod")]);
        let mut record = trial.running_from(new).await;
        if n % 3 == 1 {
            trial
                .apply(&mut record, lro_core::store::Command::delete())
                .await
                .unwrap();
        }
        if n % 3 == 2 {
            trial.apply(&mut record, succeed(1, "r")).await.unwrap();
            trial
                .apply(&mut record, lro_core::store::Command::delete())
                .await
                .unwrap();
        }
    }
    let left = [numbered("", 3), numbered("", 0)];
    for text in [
        "state = RUNNING",
        "labels.env = prod",
        "labels:env",
        "done = false",
        "labels.env != dev",
    ] {
        let found = list_all(trial.store(), query("", text, 1)).await;
        assert_eq!(names(&found), left, "{text}");
    }
    let none = list_all(trial.store(), query("", "done = true", 9)).await;
    assert_eq!(names(&none), [""; 0]);
}

macro_rules! random {
    ($($name:ident: $seed:literal)*) => {$(
        pub(crate) async fn $name(trial: Trial) {
            compare_filters(trial.store().clone(), trial.clock.clone(), $seed, 300).await;
        }
    )*};
}

// spec:120
random! {
    filters_of_seed_1_find_what_the_evaluator_finds: 1
    filters_of_seed_2_find_what_the_evaluator_finds: 2
    filters_of_seed_3_find_what_the_evaluator_finds: 3
    filters_of_seed_4_find_what_the_evaluator_finds: 4
}

fn error(code: i32, message: &str) -> OperationOutcome {
    OperationOutcome::Error(pb::rpc::Status {
        code,
        message: message.to_owned(),
        details: Vec::new(),
    })
}
