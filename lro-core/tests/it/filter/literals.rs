//! The meaning of literals: wildcards, times, numbers and texts.

use lro_core::filter::{Filter, FilterErrorKind};
use serde_json::json;

use super::fixtures;
use super::rules::{check, metadata, refused};

/// spec:116
#[test]
fn wildcards_at_the_ends_only() {
    let record = metadata(&json!({"target": "a*b%c", "tags": ["urgent"]}));
    check(
        &record,
        &[
            ("metadata.target = a*", Ok(true)),
            ("metadata.target = \"*%*\"", Ok(true)),
            ("metadata.target = \"a\\*b*\"", Ok(true)),
            ("metadata.target = \"a\\*b%c\"", Ok(true)),
            ("metadata.target = \"*\\*\"", Ok(false)),
            ("metadata.target = \"\\u002a*\"", Ok(false)),
            ("metadata.target = \"**\"", Ok(true)),
            ("metadata.target = \"***\"", Err("MIDDLE_WILDCARD")),
            ("metadata.target != *c", Ok(false)),
            ("metadata.target = a%b*", Ok(false)),
            ("metadata.target = A*", Ok(false)),
            ("metadata.tags:urg*", Ok(true)),
            ("metadata.target >= a*", Err("WILDCARD_IN_ORDERING")),
            ("metadata.target >= \"a\\*\"", Ok(true)),
            ("metadata.state = RUN*", Err("UNKNOWN_ENUM_VALUE")),
        ],
    );
}

/// spec:117
#[test]
fn times_and_numbers_to_the_last_digit() {
    let record = metadata(&json!({
        "start_time": "2024-01-01T00:00:01.500000001Z", "eta": "-5.5s",
        "bytes_done": 9_007_199_254_740_993_i64, "ratio": 1500.0,
    }));
    check(
        &record,
        &[
            (
                "metadata.start_time = \"2024-01-01T00:00:01.500000001Z\"",
                Ok(true),
            ),
            ("metadata.start_time > \"2024-01-01T00:00:01.5Z\"", Ok(true)),
            ("metadata.eta = -5.5s", Ok(true)),
            ("metadata.eta < 0s", Ok(true)),
            ("metadata.bytes_done > 9007199254740992", Ok(true)),
            ("metadata.ratio = 1.5e3", Ok(true)),
            ("metadata.ratio = 1.5E+3", Ok(true)),
            ("metadata.ratio = 15000e-1", Ok(true)),
            ("metadata.ratio = \"1500\"", Err("TYPE_MISMATCH")),
            ("create_time = \"2024-01-01T00:00:00.0000001Z\"", Ok(false)),
            ("create_time != \"2024-01-01T00:00:00.0000001Z\"", Ok(true)),
            ("create_time < \"2024-01-01T00:00:00.0000001Z\"", Ok(true)),
            ("create_time <= \"2024-01-01T00:00:00.0000001Z\"", Ok(true)),
            ("create_time >= \"2024-01-01T00:00:00.0000001Z\"", Ok(false)),
            ("create_time > \"2023-12-31T23:59:59.9999999Z\"", Ok(true)),
            ("create_time >= \"2023-12-31T23:59:59.9999999Z\"", Ok(true)),
            ("create_time < \"9999-12-31T23:59:59.999999999Z\"", Ok(true)),
            ("create_time > \"0001-01-01T00:00:00Z\"", Ok(true)),
            ("create_time > \"1969-12-31T23:59:59.9999999Z\"", Ok(true)),
        ],
    );
    for bad in [
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        "2023-02-29T00:00:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+0100",
        "2024-1-01T00:00:00Z",
        "2024-01-01T00:00:00Z ",
        "café-1-01T00:00:00Z",
        "",
        "*",
    ] {
        refused(&[(&format!("create_time > \"{bad}\""), "BAD_TIMESTAMP")]);
    }
    for bad in [
        "1",
        "s",
        "-s",
        "1.s",
        ".5s",
        "1.0000000001s",
        "315576000001s",
        "+1s",
        "1 s",
        "1e3s",
    ] {
        refused(&[(&format!("metadata.eta > \"{bad}\""), "BAD_DURATION")]);
    }
}

/// spec:120
#[test]
fn texts_compare_by_code_point_after_normalization() {
    let mut record = metadata(&json!({"target": "cafe\u{301}"}));
    record.labels.insert("cle\u{301}".into(), "\u{FFFF}".into());
    check(
        &record,
        &[
            ("metadata.target = \"caf\u{e9}\"", Ok(true)),
            ("metadata.target = \"caf\\u00e9\"", Ok(true)),
            ("metadata.target = \"cafe*\"", Ok(false)),
            ("labels.cl\u{e9}:*", Ok(true)),
            ("labels:cl\u{e9}", Ok(true)),
            // By UTF-16 units it would be the other way round.
            ("labels.cl\u{e9} < \"\\ud83d\\ude80\"", Ok(true)),
        ],
    );
}

/// spec:118
#[test]
fn a_minus_before_a_digit_in_parentheses_is_refused() {
    let schema = fixtures::schema();
    for bad in [
        "metadata.progress_percent = (-1 OR 40)",
        "metadata.progress_percent = (40 AND -1)",
        "metadata.progress_percent > ((-1))",
        "metadata.ratio = (-0.5 OR 1)",
        "metadata.eta = (-5s OR 1s)",
        "labels.env = (-1 OR prod)",
    ] {
        let error = Filter::parse(bad, &schema).unwrap_err();
        assert_eq!(error.kind(), FilterErrorKind::TypeMismatch, "{bad}");
        assert!(error.to_string().contains("write NOT"), "{error}");
        assert_eq!(&bad[error.offset()..=error.offset()], "-", "{bad}");
    }
    let matching = |text: &str| {
        let record = fixtures::with_metadata("Metadata", &json!({"progress_percent": -1}));
        Filter::parse(text, &schema).unwrap().matches(&record)
    };
    assert!(matching("metadata.progress_percent = -1"));
    assert!(matching("metadata.progress_percent = (NOT 1 OR 40)"));
    assert!(matching("metadata.target = (-x AND -y)"));
}
