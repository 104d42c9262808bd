//! The grammar of filters, its limits and its errors, beyond the table.

use lro_core::Reason;
use lro_core::filter::{Filter, FilterErrorKind, Schema, parse};
use serde_json::json;
use tonic_types::StatusExt as _;

use super::fixtures;
use super::rules::{check, metadata};

fn tree(text: &str) -> String {
    parse(text).map_or_else(
        |error| error.kind().as_str().to_owned(),
        |tree| {
            tree.map_or_else(String::new, |tree| {
                super::cases::rendered(&tree).to_string()
            })
        },
    )
}

/// spec:105
#[test]
fn or_binds_tighter() {
    let record = metadata(&json!({"tags": ["a"]}));
    check(
        &record,
        &[
            ("done = true OR done = false AND metadata.tags:b", Ok(false)),
            (
                "done = true OR (done = false AND metadata.tags:a)",
                Ok(true),
            ),
            ("metadata.tags:a done = true OR done = false", Ok(true)),
        ],
    );
    assert_eq!(tree("a b OR c AND d"), tree("(a (b OR c)) AND d"));
}

/// spec:106
#[test]
fn keywords_need_white_space_and_upper_case() {
    for (text, wanted) in [
        ("(a)AND (b)", "UNEXPECTED_TOKEN"),
        ("(a) AND", "MISSING_OPERAND"),
        ("a OR", "MISSING_OPERAND"),
        ("AND a", "UNEXPECTED_KEYWORD"),
        ("a AND\"b\"", "UNEXPECTED_KEYWORD"),
        ("AND = 1", "UNEXPECTED_KEYWORD"),
        ("NOT.a = 1", "UNEXPECTED_KEYWORD"),
        ("a = AND.b", "UNEXPECTED_KEYWORD"),
        ("f(AND)", "UNEXPECTED_KEYWORD"),
    ] {
        assert_eq!(tree(text), wanted, "{text}");
    }
    assert_eq!(tree("\"AND\""), r#"["global",["path",{"q":"AND"}]]"#);
    assert_eq!(
        tree("AND.OR(x)"),
        r#"["global",["call","AND.OR",["path","x"]]]"#
    );
    assert_eq!(
        tree("a = \"OR\""),
        r#"["=",["path","a"],["path",{"q":"OR"}]]"#
    );
}

/// spec:107
#[test]
fn both_negations_and_one_per_term() {
    let negated = tree("NOT a = b");
    for same in [
        "-a = b",
        "NOT\u{2003}a = b",
        "(-a = b)",
        "-(a = b)",
        "(NOT a = b)",
    ] {
        assert_eq!(tree(same), negated, "{same}");
    }
    for (text, wanted) in [
        ("--a", "UNEXPECTED_TOKEN"),
        ("-NOT a", "UNEXPECTED_KEYWORD"),
        ("NOT NOT a", "UNEXPECTED_KEYWORD"),
        ("NOT -a", "UNEXPECTED_TOKEN"),
        ("-", "EXPECTED_VALUE"),
        ("- (a)", "EXPECTED_VALUE"),
        ("NOT ", "UNEXPECTED_KEYWORD"),
        ("a NOT", "UNEXPECTED_KEYWORD"),
    ] {
        assert_eq!(tree(text), wanted, "{text}");
    }
    assert_eq!(tree("-\"a\""), r#"["not",["global",["path",{"q":"a"}]]]"#);
    let twice = metadata(&json!({"progress_percent": -1}));
    check(
        &twice,
        &[("NOT (NOT metadata.progress_percent = -1)", Ok(true))],
    );
}

/// spec:119
#[test]
fn limits_are_exact() {
    let nested = |depth: usize| format!("{}done = true{}", "(".repeat(depth), ")".repeat(depth));
    let terms = |count: usize| vec!["done = true"; count].join(" AND ");
    let composite = |count: usize| format!("name = ({})", vec!["x"; count].join(" OR "));
    let long = |length: usize| format!("name = \"{}\"", "é".repeat(length - 9));
    let parsed = |text: String| Filter::parse(&text, &Schema::default()).map(drop);
    assert_eq!(parsed(nested(32)), Ok(()));
    assert_eq!(parsed(terms(256)), Ok(()));
    assert_eq!(parsed(composite(256)), Ok(()));
    assert_eq!(parsed(long(8192)), Ok(()));
    let kind = |text: String| parsed(text).unwrap_err().kind();
    assert_eq!(kind(nested(33)), FilterErrorKind::TooDeep);
    assert_eq!(kind(terms(257)), FilterErrorKind::TooComplex);
    assert_eq!(kind(composite(257)), FilterErrorKind::TooComplex);
    assert_eq!(kind(long(8193)), FilterErrorKind::TooLong);
}

/// spec:122
#[test]
fn errors_say_where_and_what_to_do() {
    let text = "name = \"é\" AND metadata.nosuch = 1";
    let error = Filter::parse(text, &fixtures::schema()).unwrap_err();
    assert_eq!(error.kind(), FilterErrorKind::UnknownField);
    assert_eq!(error.offset(), 24);
    assert!(error.hint().unwrap().contains("progress_percent"));
    let status = tonic::Status::from(error);
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.reason, Reason::InvalidFilter.as_str());
    assert_eq!(info.metadata["field"], "filter");
    assert_eq!(info.metadata["offset"], "24");
    assert_eq!(info.metadata["rule"], "UNKNOWN_FIELD");
    assert_eq!(info.metadata["found"], "nosuch");
    let violations = &details.bad_request().unwrap().field_violations;
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].field, "filter");
    assert!(violations[0].description.contains("offset 24"));
}

/// spec:122
#[test]
fn the_offset_is_that_of_what_is_wrong() {
    for (text, offset) in [
        ("done > true", 5),
        ("metadata.tags = a", 14),
        ("name = \"a", 7),
        ("done = true AND", 12),
        ("(done = true", 0),
        ("name = \"x\\y\"", 9),
        ("attempt = (1 OR x)", 16),
        ("name.first = x", 5),
    ] {
        let error = Filter::parse(text, &fixtures::schema()).unwrap_err();
        assert_eq!(error.offset(), offset, "{text}: {error}");
    }
}

/// spec:138
#[test]
fn errors_do_not_repeat_a_long_filter() {
    let text = format!("name = 1 AND {} = 1", "x".repeat(8_000));
    let status: tonic::Status = Filter::parse(&text, &Schema::default()).unwrap_err().into();
    assert!(status.message().len() < 600 && status.details().len() < 2_048);
}

#[test]
fn decision_3_strings_hold_no_control_characters() {
    for (text, wanted) in [
        ("\"a\tb\"", "CONTROL_CHAR"),
        ("\"a\u{85}b\"", "CONTROL_CHAR"),
        ("\"\\u0000\"", "CONTROL_CHAR"),
        ("a\u{1}b", "CONTROL_CHAR"),
        ("\"\\ud83d\\u0041\"", "BAD_ESCAPE"),
        ("\"\\udc00\"", "BAD_ESCAPE"),
        ("\"\\u12g4\"", "BAD_ESCAPE"),
        ("\"\\a\"", "BAD_ESCAPE"),
        ("'it\\'", "UNTERMINATED_STRING"),
        ("'a\"", "UNTERMINATED_STRING"),
    ] {
        assert_eq!(tree(text), wanted, "{text}");
    }
    assert_eq!(
        tree(r#"'a"\'\\\n\r\t\ud83d\ude80'"#),
        r#"["global",["path",{"q":"a\"'\\\n\r\t🚀"}]]"#
    );
}
