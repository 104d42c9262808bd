//! The format of a table of cases.

use serde_json::Value;

use crate::cases::list;

/// Refuses fields that the runner does not know: a case must not pass because of one.
pub(crate) fn known(value: &Value, what: &str, fields: &[&str]) -> Result<(), String> {
    let Some(object) = value.as_object() else {
        return Err(format!("{what}: not an object"));
    };
    match object.keys().find(|key| !fields.contains(&key.as_str())) {
        Some(unknown) => Err(format!("{what}: unknown field `{unknown}`")),
        None => Ok(()),
    }
}

pub(crate) fn check_format(case: &Value) -> Result<(), String> {
    let id = case["id"].as_str().unwrap_or("a case");
    known(
        case,
        id,
        &[
            "basis",
            "expect",
            "id",
            "note",
            "proto",
            "prost_reflect_0_16_5",
            "request",
            "rule",
            "validated",
            "backend",
            "bindings",
            "needs",
            "template",
            "server",
        ],
    )?;
    let parts: [(&str, &[&str]); 4] = [
        (
            "request",
            &[
                "method",
                "path",
                "headers",
                "body",
                "body_base64",
                "body_repeat",
            ],
        ),
        (
            "expect",
            &[
                "status",
                "rpc",
                "body_json",
                "body_match",
                "headers",
                "field",
                "valid",
                "framing",
                "body_empty",
                "body_base64",
            ],
        ),
        (
            "backend",
            &[
                "response_json",
                "response_hex",
                "status",
                "stream",
                "delay_ms",
            ],
        ),
        ("server", &["cors"]),
    ];
    for (part, fields) in parts {
        if let Some(value) = case.get(part) {
            known(value, &format!("{id}: {part}"), fields)?;
        }
    }
    if let Some(rpc) = case["expect"].get("rpc") {
        let fields = [
            "method",
            "request_json",
            "metadata",
            "metadata_absent",
            "deadline_at_most_ms",
        ];
        known(rpc, &format!("{id}: rpc"), &fields)?;
    }
    if let Some(status) = case["backend"].get("status") {
        known(
            status,
            &format!("{id}: status"),
            &["code", "message", "details"],
        )?;
    }
    for binding in list(&case["bindings"]) {
        known(
            binding,
            &format!("{id}: binding"),
            &["rpc", "method", "path", "body", "response_body"],
        )?;
    }
    Ok(())
}
