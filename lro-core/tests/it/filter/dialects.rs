//! The documented dialects, as data.

use lro_core::filter::{Filter, FilterErrorKind, Schema};
use lro_core::store::ListPolicy;
use serde_json::json;

use super::{cases, fixtures};

fn service_management() -> Schema {
    ListPolicy::service_infrastructure().schema
}

fn genomics_v1() -> Schema {
    ListPolicy::genomics_v1().schema
}

fn genomics_v2alpha1() -> Schema {
    let schema = Schema::builder().metadata(fixtures::message("Metadata"));
    ListPolicy::genomics_v2alpha1(&schema.build(), "metadata.tags").schema
}

/// spec:123
#[test]
fn the_dialect_cases_of_the_table() {
    for case in cases::table()["dialect_cases"].as_array().unwrap() {
        let schema = match case["dialect"].as_str().unwrap() {
            "service_management" => service_management(),
            "genomics_v1" => genomics_v1(),
            _ => genomics_v2alpha1(),
        };
        let text = case["filter"].as_str().unwrap();
        let found = Filter::parse(text, &schema);
        if let Some(accept) = case["accept"].as_bool() {
            assert_eq!(found.is_ok(), accept, "{text}: {found:?}");
        }
    }
}

/// spec:123
#[test]
fn a_required_restriction_stands_on_the_top_level() {
    let kind = |text: &str| {
        let parsed = Filter::parse(text, &service_management());
        parsed.map_or_else(|error| Some(error.kind()), |_| None)
    };
    for good in [
        "serviceName = a.b.c",
        "status=done serviceName=a",
        "(status=done AND (serviceName=a))",
        "serviceName=a AND -status=failed",
    ] {
        assert_eq!(kind(good), None, "{good}");
    }
    for bad in [
        "",
        "status=done",
        "NOT serviceName=a",
        "serviceName=(a OR b)",
        "serviceName=\"a*\"",
        "serviceName=a OR serviceName=b",
    ] {
        assert_eq!(
            kind(bad),
            Some(FilterErrorKind::RequiredRestriction),
            "{bad}"
        );
    }
    assert_eq!(
        kind("serviceName=a AND create_time > \"2024-01-01T00:00:00Z\""),
        Some(FilterErrorKind::UnknownField)
    );
    assert_eq!(kind("serviceName:a"), Some(FilterErrorKind::BadOperator));
}

#[test]
fn declared_fields_mean_what_they_stand_for() {
    let mut record = fixtures::with_metadata("Metadata", &json!({"tags": ["Started"]}));
    record.labels.insert("service".into(), "a.b".into());
    record.labels.insert("project".into(), "p".into());
    record.labels.insert("color".into(), "red".into());
    for (schema, text, wanted) in [
        (
            service_management(),
            "serviceName=a.b AND status=in_progress",
            true,
        ),
        (
            service_management(),
            "serviceName=a.b AND status!=done",
            true,
        ),
        (
            service_management(),
            "serviceName=a.b AND startTime<\"2024-01-01\"",
            false,
        ),
        (
            service_management(),
            "serviceName=a.b AND startTime>=\"2024-01-01\"",
            true,
        ),
        (
            genomics_v1(),
            "projectId=p AND createTime >= 1704067200",
            true,
        ),
        (
            genomics_v1(),
            "projectId=p AND createTime <= 1704067199",
            false,
        ),
        (genomics_v1(), "projectId=p AND labels.color = *", true),
        (genomics_v1(), "projectId=p AND labels.shape = *", false),
        (genomics_v1(), "projectId=p AND status = SUCCESS", false),
        (genomics_v2alpha1(), "events:Started", true),
        (genomics_v2alpha1(), "error = NULL", true),
    ] {
        let filter = Filter::parse(text, &schema).unwrap();
        assert_eq!(filter.matches(&record), wanted, "{text}");
    }
    let twice = "projectId=p AND status=RUNNING AND status=SUCCESS";
    let error = Filter::parse(twice, &genomics_v1()).unwrap_err();
    assert_eq!(error.kind(), FilterErrorKind::RepeatedRestriction);
}
