//! Suggestions in the errors of rejected filters.

use lro_core::filter::{Filter, Schema};
use serde_json::json;

use super::fixtures;
use super::rules::check;

/// The rule, the offset, and a part of what is said.
#[track_caller]
fn says(schema: &Schema, text: &str, kind: &str, offset: usize, part: &str) {
    let error = Filter::parse(text, schema).expect_err(text);
    assert_eq!(
        (error.kind().as_str(), error.offset()),
        (kind, offset),
        "{text}: {error}"
    );
    assert!(error.to_string().contains(part), "{text}: {error}");
}

/// report:L6
#[test]
fn constructs_of_other_languages_get_a_suggestion() {
    let schema = fixtures::wide_schema();
    for (text, kind, offset, part) in [
        (
            "name ~ \"op\"",
            "NO_SEARCH_FIELDS",
            0,
            "write `name = \"*part*\"`",
        ),
        (
            "name =~ \"op\"",
            "NO_SEARCH_FIELDS",
            8,
            "write `name = \"*part*\"`",
        ),
        (
            "name !~ \"op\"",
            "UNEXPECTED_TOKEN",
            5,
            "write NOT before a term",
        ),
        (
            "done = true, name = a",
            "UNEXPECTED_TOKEN",
            11,
            "write AND or OR",
        ),
        (
            "done = true; name = a",
            "UNEXPECTED_TOKEN",
            11,
            "write AND or OR",
        ),
        (
            "metadata.cancel_requested",
            "NO_SEARCH_FIELDS",
            0,
            "`metadata.cancel_requested = true`",
        ),
        (
            "NOT metadata.cancelRequested",
            "NO_SEARCH_FIELDS",
            4,
            "cancelRequested = true`",
        ),
        (
            "done AND name = a",
            "NO_SEARCH_FIELDS",
            0,
            "write `done = true`",
        ),
        ("-done", "NO_SEARCH_FIELDS", 1, "write `done = true`"),
        ("!done", "EXPECTED_VALUE", 0, "write NOT to negate"),
        ("labels.env", "NO_SEARCH_FIELDS", 0, "write `labels.env:*`"),
        ("true = done", "UNKNOWN_FIELD", 0, "write `done = true`"),
        ("\"a\" = name", "QUOTED_FIELD", 0, "write `name = \"a\"`"),
        (
            "5 < error.code",
            "UNKNOWN_FIELD",
            0,
            "write `error.code > 5`",
        ),
        (
            "40 <= metadata.progress_percent",
            "UNKNOWN_FIELD",
            0,
            "percent >= 40`",
        ),
        (
            "create_time > timestamp(\"2024-01-01T00:00:00Z\")",
            "UNKNOWN_FUNCTION",
            14,
            "write the literal alone: `\"2024-01-01T00:00:00Z\"`",
        ),
        (
            "metadata.eta > duration(\"20s\")",
            "UNKNOWN_FUNCTION",
            15,
            "alone: `\"20s\"`",
        ),
        (
            "has(metadata.owner)",
            "UNKNOWN_FUNCTION",
            0,
            "write `metadata.owner:*`",
        ),
        (
            "size(labels) = 0",
            "UNKNOWN_FUNCTION",
            0,
            "there are no functions",
        ),
        (
            "done eq true",
            "NO_SEARCH_FIELDS",
            0,
            "write `done = literal`",
        ),
        (
            "error.code ne 5",
            "NO_SEARCH_FIELDS",
            0,
            "write `error.code != literal`",
        ),
        ("name in (a, b)", "UNEXPECTED_TOKEN", 10, "write AND or OR"),
        (
            "name like \"a%\"",
            "NO_SEARCH_FIELDS",
            0,
            "write `name = \"*part*\"`",
        ),
        ("error.code = FAILED", "TYPE_MISMATCH", 13, "NOT_FOUND"),
        ("error.code > NOT_FOUND", "BAD_OPERATOR", 11, "use = or !="),
        ("(done = true", "EXPECTED_RPAREN", 0, "write `)`"),
        ("done = true)", "UNEXPECTED_TOKEN", 11, "remove it"),
        ("name = \"a", "UNTERMINATED_STRING", 7, "close it"),
        ("done = true AND", "MISSING_OPERAND", 12, "write a term"),
        ("done == true", "EXPECTED_VALUE", 6, "the operators are"),
        ("a < b < c", "UNEXPECTED_TOKEN", 6, "write AND"),
    ] {
        says(&schema, text, kind, offset, part);
    }
}

/// report:L6
#[test]
fn a_colon_with_an_empty_text_is_refused() {
    let schema = fixtures::wide_schema();
    for field in [
        "name",
        "method",
        "error.message",
        "labels",
        "labels.env",
        "metadata.target",
        "metadata.tags",
        "metadata.steps.name",
        "metadata.owners",
    ] {
        for (text, offset) in [
            (format!("{field}:\"\""), 0),
            (format!("{field}:(a OR '')"), 6),
        ] {
            let offset = field.len() + 1 + offset;
            says(
                &schema,
                &text,
                "EXPECTED_VALUE",
                offset,
                "write `field = \"\"`",
            );
        }
    }
    let record = fixtures::with_metadata("Metadata", &json!({}));
    check(
        &record,
        &[
            ("metadata.target = \"\"", Ok(true)),
            ("metadata.target:*", Ok(false)),
            ("NOT metadata.target:*", Ok(true)),
        ],
    );
}

/// report:L6
#[test]
fn codes_have_names() {
    let failed = fixtures::record(&json!({
        "name": "operations/x", "method": "/m", "done": true,
        "create_time": "2024-01-01T00:00:00Z", "update_time": "2024-01-01T00:00:00Z",
        "error": {"code": 9, "message": ""},
    }));
    check(
        &failed,
        &[
            ("error.code = FAILED_PRECONDITION", Ok(true)),
            ("error.code = \"FAILED_PRECONDITION\"", Ok(true)),
            ("error.code:FAILED_PRECONDITION", Ok(true)),
            ("error.code = (NOT_FOUND OR FAILED_PRECONDITION)", Ok(true)),
            ("error.code != NOT_FOUND", Ok(true)),
            ("error.code = OK", Ok(false)),
            ("error.code = 9", Ok(true)),
            ("error.code = failed_precondition", Err("TYPE_MISMATCH")),
        ],
    );
}

/// report:L5
#[test]
fn the_type_that_was_meant_is_blamed() {
    let schema = fixtures::wide_schema();
    for (text, offset, part) in [
        // `Metadata` has an owner, `Other` has owners.
        (
            "metadata.owner.mail = a",
            15,
            "of `test.Owner` (at offset 15); the fields are email, team",
        ),
        ("metadata.owners.x.mail = a", 18, "of `test.Owner`"),
        ("metadata.next.next.sise = 1", 19, "of `test.Other`"),
        (
            "metadata.nothing = 1",
            9,
            "the types are test.Metadata, test.Other",
        ),
        (
            "metadata:nothing",
            9,
            "the types are test.Metadata, test.Other",
        ),
        // A single type lists its fields.
        ("response.cuont = 1", 9, "the fields are count, owner"),
    ] {
        says(&schema, text, "UNKNOWN_FIELD", offset, part);
    }
}

/// report:L6
#[test]
fn without_declared_types_the_error_says_how_to_declare_them() {
    for text in [
        "metadata.progress > 5",
        "metadata:progress",
        "response.count = 1",
    ] {
        says(
            &Schema::default(),
            text,
            "UNKNOWN_FIELD",
            9,
            "file_descriptor_set",
        );
        says(&Schema::default(), text, "UNKNOWN_FIELD", 9, "@type");
    }
}
