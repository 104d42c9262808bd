//! The meaning of filters: the rules of the specification, beyond the table.

use lro_core::filter::{Filter, Schema, TextField};
use lro_core::store::{OperationRecord, OperationResult, StandardMetadata};
use serde_json::{Value as Json, json};

use super::fixtures;

/// Whether the filter matches, or the rule that it breaks.
pub(crate) fn outcome(text: &str, record: &OperationRecord) -> Result<bool, &'static str> {
    match Filter::parse(text, &fixtures::wide_schema()) {
        Ok(filter) => Ok(filter.matches(record)),
        Err(error) => Err(error.kind().as_str()),
    }
}

pub(crate) fn check(record: &OperationRecord, cases: &[(&str, Result<bool, &str>)]) {
    for (text, wanted) in cases {
        assert_eq!(outcome(text, record), *wanted, "{text}");
    }
}

pub(crate) fn refused(cases: &[(&str, &str)]) {
    let record = metadata(&json!({}));
    for (text, rule) in cases {
        assert_eq!(outcome(text, &record), Err(*rule), "{text}");
    }
}

pub(crate) fn metadata(json: &Json) -> OperationRecord {
    fixtures::with_metadata("Metadata", json)
}

pub(crate) fn other(json: &Json) -> OperationRecord {
    fixtures::with_metadata("Other", json)
}

/// spec:108
#[test]
fn order_only_where_there_is_one() {
    refused(&[
        ("done < true", "BAD_OPERATOR"),
        ("state > RUNNING", "BAD_OPERATOR"),
        ("metadata.state <= RUNNING", "BAD_OPERATOR"),
        ("metadata.cancel_requested >= true", "BAD_OPERATOR"),
        ("metadata.digest = x", "BAD_OPERATOR"),
        ("error > null", "BAD_OPERATOR"),
        ("end_time > null", "BAD_OPERATOR"),
        ("labels != x", "BAD_OPERATOR"),
    ]);
    let record = metadata(&json!({"progress_percent": 40, "target": "b", "eta": "90s"}));
    check(
        &record,
        &[
            ("metadata.progress_percent >= 40", Ok(true)),
            ("metadata.progress_percent<=39", Ok(false)),
            ("metadata.target > a", Ok(true)),
            ("metadata.eta >= \"90.000s\"", Ok(true)),
            ("metadata.eta < 89.999999999s", Ok(false)),
            ("create_time <= \"2024-01-01T00:00:00Z\"", Ok(true)),
            ("state = RUNNING", Ok(true)),
            ("state != \"RUNNING\"", Ok(false)),
            ("state = STATE_UNSPECIFIED", Err("UNKNOWN_ENUM_VALUE")),
            ("attempt = 0", Ok(true)),
            ("attempt < 1", Ok(true)),
            ("attempt > -1", Err("OUT_OF_RANGE")),
        ],
    );
}

/// spec:109
#[test]
fn has_asks_for_elements_keys_fields_and_presence() {
    let record = other(&json!({
        "weights": {"1": 0.5, "-2": 0},
        "owners": {"a": {"email": "x"}, "b": {}},
        "groups": [{}, {"steps": [{"name": "s", "notes": ["n", "m"]}]}],
        "states": ["RUNNING", "FAILED"],
        "times": ["2024-01-01T00:00:00Z"],
    }));
    check(
        &record,
        &[
            ("metadata.weights:1", Ok(true)),
            ("metadata.weights:3", Ok(false)),
            ("metadata.weights:x", Err("TYPE_MISMATCH")),
            ("metadata.weights.1 = 0.5", Ok(true)),
            ("metadata.weights.-2:*", Ok(true)),
            ("metadata.weights.x = 1", Err("TYPE_MISMATCH")),
            ("metadata.owners.a.email = x", Ok(true)),
            ("metadata.owners.b.email = \"\"", Ok(true)),
            ("metadata.owners.c.email != x", Ok(false)),
            ("metadata.owners.a:email", Ok(true)),
            ("metadata.owners.b:email", Ok(false)),
            ("metadata.owners:(a AND b)", Ok(true)),
            ("metadata.owners:(a AND c)", Ok(false)),
            ("metadata.groups.steps.name:s", Ok(true)),
            ("metadata.groups.steps.notes:m", Ok(true)),
            ("metadata.groups.steps.notes:*", Ok(true)),
            ("metadata.groups.steps.notes = m", Err("TRAVERSE_REPEATED")),
            ("metadata.groups.steps:*", Ok(true)),
            ("metadata.groups.steps.attempts:*", Ok(false)),
            ("metadata.groups.steps:s", Err("TYPE_MISMATCH")),
            ("metadata.states:FAILED", Ok(true)),
            ("metadata.states:SUCCEEDED", Ok(false)),
            ("metadata.times:\"2024-01-01T01:00:00+01:00\"", Ok(true)),
            ("metadata:groups", Ok(true)),
            ("metadata:size", Ok(false)),
            ("metadata:nothing", Err("UNKNOWN_FIELD")),
            ("metadata:*", Ok(true)),
            ("response:*", Ok(false)),
            ("error:code", Ok(false)),
            ("error:details", Err("UNKNOWN_FIELD")),
            ("done:*", Ok(false)),
            ("name:*", Ok(true)),
        ],
    );
}

/// spec:110
#[test]
fn fields_on_the_left_literals_on_the_right() {
    refused(&[
        ("true = done", "UNKNOWN_FIELD"),
        ("\"done\" = true", "QUOTED_FIELD"),
        ("done = done", "TYPE_MISMATCH"),
        ("create_time < update_time", "BAD_TIMESTAMP"),
        ("done = (true OR done = false)", "NESTED_RESTRICTION"),
        ("name = (a OR f(x))", "UNKNOWN_FUNCTION"),
        ("f(x) = 1", "UNKNOWN_FUNCTION"),
        ("a = b = c", "UNEXPECTED_TOKEN"),
        ("a:b:c", "UNEXPECTED_TOKEN"),
        ("name = a.\"b\"", "TYPE_MISMATCH"),
    ]);
    let mut record = metadata(&json!({}));
    record
        .labels
        .insert("host".into(), "foo.googleapis.com".into());
    record.labels.insert("is".into(), "name".into());
    check(
        &record,
        &[
            ("labels.host = foo.googleapis.com", Ok(true)),
            ("labels.host = foo.*", Ok(true)),
            ("labels.is = name", Ok(true)),
            ("labels.is = (name)", Ok(true)),
            ("labels.is = (NOT name)", Ok(false)),
            ("labels.host = (bar OR (foo.* AND *.com))", Ok(true)),
        ],
    );
}

/// spec:111
#[test]
fn only_has_looks_through_a_list_and_nothing_by_index() {
    let record = metadata(&json!({"steps": [{"name": "fetch", "attempts": 1}], "tags": ["a"]}));
    check(
        &record,
        &[
            ("metadata.steps.name:fetch", Ok(true)),
            ("metadata.steps.attempts:1", Ok(true)),
            ("metadata.steps.name:parse", Ok(false)),
            ("metadata.steps.name = fetch", Err("TRAVERSE_REPEATED")),
            ("metadata.steps.attempts > 0", Err("TRAVERSE_REPEATED")),
            ("metadata.steps.0.name:fetch", Err("UNKNOWN_FIELD")),
            ("metadata.tags.0 = a", Err("NOT_A_MESSAGE")),
            ("metadata.tags = a", Err("BAD_OPERATOR")),
        ],
    );
}

/// spec:115
#[test]
fn unset_and_empty_are_one_and_a_default_is_not_present() {
    let empty = other(&json!({"owners": {}, "states": [], "size": 0}));
    let unset = other(&json!({}));
    for record in [empty, unset] {
        check(
            &record,
            &[
                ("metadata.owners:*", Ok(false)),
                ("metadata.states:*", Ok(false)),
                ("metadata:states", Ok(false)),
                ("metadata.size:*", Ok(false)),
                ("metadata:size", Ok(false)),
                ("NOT metadata.owners:a", Ok(true)),
                ("labels:*", Ok(false)),
            ],
        );
    }
    let set = other(&json!({"owners": {"a": {}}, "states": ["RUNNING"], "size": 1, "maybe": 0}));
    check(
        &set,
        &[
            ("metadata.owners:*", Ok(true)),
            ("metadata.states:*", Ok(true)),
            ("metadata:size", Ok(true)),
            // An `optional` field says itself whether it is set.
            ("metadata.maybe:*", Ok(true)),
        ],
    );
}

/// spec:112
#[test]
fn unknown_names_and_wrong_literals_are_refused() {
    refused(&[
        ("colour = red", "UNKNOWN_FIELD"),
        ("NAME = x", "UNKNOWN_FIELD"),
        ("metadata.Target = x", "UNKNOWN_FIELD"),
        ("error.details:*", "UNKNOWN_FIELD"),
        ("response.nothing = 1", "UNKNOWN_FIELD"),
        ("create_time.seconds = 1", "NOT_A_MESSAGE"),
        ("metadata.eta.seconds = 1", "NOT_A_MESSAGE"),
        ("metadata.tags.x:y", "NOT_A_MESSAGE"),
        ("name = null", "TYPE_MISMATCH"),
        ("labels.a = null", "TYPE_MISMATCH"),
        ("attempt = null", "TYPE_MISMATCH"),
        ("state = null", "TYPE_MISMATCH"),
        ("metadata.tags = null", "BAD_OPERATOR"),
        ("error.code = 2147483648", "OUT_OF_RANGE"),
        ("metadata.size = -1", "OUT_OF_RANGE"),
        ("metadata.size = 18446744073709551616", "OUT_OF_RANGE"),
        ("metadata.ratio = NaN", "TYPE_MISMATCH"),
        ("metadata.ratio = inf", "TYPE_MISMATCH"),
        ("metadata.ratio = 1e999", "OUT_OF_RANGE"),
        ("metadata.ratio = 01.5", "TYPE_MISMATCH"),
        ("metadata.ratio = +1", "TYPE_MISMATCH"),
        ("metadata.ratio = -.5", "TYPE_MISMATCH"),
        ("metadata.single = 1e39", "OUT_OF_RANGE"),
        ("attempt = \u{0661}", "TYPE_MISMATCH"),
        ("labels.a. b = x", "EXPECTED_VALUE"),
        ("labels .a = x", "UNEXPECTED_TOKEN"),
    ]);
    let long = vec!["a"; 33].join(".");
    refused(&[(&format!("labels.{long} = x"), "TOO_DEEP")]);
}

/// spec:113
#[test]
fn an_unset_link_passes_over_the_operation() {
    let bare = metadata(&json!({}));
    check(
        &bare,
        &[
            ("metadata.owner.email = \"\"", Ok(false)),
            ("metadata.owner.email != x", Ok(false)),
            ("metadata.owner.email < z", Ok(false)),
            ("NOT metadata.owner.email != x", Ok(true)),
            ("metadata.eta != 1s", Ok(false)),
            ("metadata.eta = null", Ok(true)),
            ("metadata.eta != null", Ok(false)),
            ("metadata.owner = null", Ok(true)),
            ("metadata.target = \"\"", Ok(true)),
            ("metadata.target != x", Ok(true)),
            ("metadata.state = STATE_UNSPECIFIED", Ok(true)),
            ("end_time != \"2024-01-01T00:00:00Z\"", Ok(false)),
            ("start_time = null", Ok(true)),
            ("create_time = null", Ok(false)),
            ("error.code != 5", Ok(false)),
            ("error.message = \"*\"", Ok(false)),
            ("labels.env != x", Ok(false)),
            ("labels.env = \"*\"", Ok(false)),
            ("-labels.env:*", Ok(true)),
        ],
    );
    let mut without = bare.clone();
    without.metadata = None;
    check(
        &without,
        &[
            ("metadata.owner = null", Ok(false)),
            ("metadata = null", Ok(true)),
            ("metadata.target != x", Ok(false)),
            ("NOT metadata.target = x", Ok(true)),
        ],
    );
}

/// spec:114
#[test]
fn payloads_of_other_types_or_garbage_are_passed_over() {
    let record = other(&json!({"progress_percent": "40", "maybe": 0}));
    check(
        &record,
        &[
            // A string here, a number in the other type.
            ("metadata.progress_percent = 40", Ok(true)),
            ("metadata.progress_percent = \"40\"", Ok(true)),
            ("metadata.progress_percent = \"4*\"", Ok(true)),
            ("metadata.ratio = 0", Ok(false)),
            ("metadata.ratio != 0", Ok(false)),
            ("NOT metadata.ratio = 0", Ok(true)),
            ("metadata.maybe:*", Ok(true)),
            ("metadata.maybe = 0", Ok(true)),
        ],
    );
    let mut garbage = metadata(&json!({"target": "x"}));
    garbage.metadata.as_mut().unwrap().value = vec![0xff; 9];
    check(
        &garbage,
        &[
            ("metadata.target:*", Ok(false)),
            ("NOT metadata.target:*", Ok(true)),
            ("metadata:*", Ok(true)),
        ],
    );
}

/// spec:109
#[test]
fn the_response_is_there_after_success_only() {
    let mut record = metadata(&json!({}));
    record.result = Some(OperationResult::Response(fixtures::pack(
        "Response",
        &json!({"count": 9_007_199_254_740_993_i64}),
    )));
    check(
        &record,
        &[
            ("response:*", Ok(true)),
            ("response.count = 9007199254740993", Ok(true)),
            ("response.count = 9007199254740992", Ok(false)),
            ("response.owner = null", Ok(true)),
            ("error = null", Ok(true)),
        ],
    );
}

/// spec:121
#[test]
fn bare_literals_search_where_the_schema_says() {
    let record = metadata(&json!({}));
    let schema = Schema::builder()
        .search(TextField::Name)
        .search(TextField::Method)
        .build();
    for (text, wanted) in [
        ("erations/", true),
        ("m", true),
        ("zebra", false),
        ("-zebra", true),
        ("\"operations/*\"", true),
        ("operations AND (zebra OR m)", true),
    ] {
        let filter = Filter::parse(text, &schema).unwrap();
        assert_eq!(filter.matches(&record), wanted, "{text}");
    }
    refused(&[("done", "NO_SEARCH_FIELDS"), ("\"x\"", "NO_SEARCH_FIELDS")]);
}

#[test]
fn the_metadata_is_what_callers_see() {
    let start_time = fixtures::message("Metadata").get_field_by_name("start_time");
    let mut record = metadata(&json!({"target": "x"}));
    record.start_time = Some(fixtures::micros("2024-01-01T00:00:02Z"));
    record.origin.standard_metadata = Some(StandardMetadata {
        type_name: "test.Metadata".to_owned(),
        start_time: start_time.unwrap().number(),
        ..Default::default()
    });
    let filled = [
        ("metadata.start_time = \"2024-01-01T00:00:02Z\"", Ok(true)),
        ("metadata:start_time", Ok(true)),
        ("metadata:*", Ok(true)),
        ("metadata = null", Ok(false)),
    ];
    check(&record, &filled);
    check(&record, &[("metadata.target = x", Ok(true))]);
    record.metadata = None;
    check(&record, &filled);
}
