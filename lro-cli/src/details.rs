//! The details of an error, as lines for people.

use serde_json::Value;

use crate::output::{cell, lookup};

/// How many lines are shown at most.
const MAX_LINES: usize = 20;

/// The details of the operation's error: a label and what it says.
pub(crate) fn lines(tree: &Value) -> Vec<String> {
    let details = lookup(tree, "error.details").and_then(Value::as_array);
    let mut lines: Vec<String> = details.into_iter().flatten().flat_map(one).collect();
    if lines.len() > MAX_LINES {
        let more = lines.len() - MAX_LINES;
        lines.truncate(MAX_LINES);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn one(detail: &Value) -> Vec<String> {
    let text = |value: &Value, path: &str| cell(lookup(value, path));
    let url = text(detail, "@type");
    let name = lro_core::type_name(&url);
    let all = |member: &str| {
        let list = detail.get(member).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let line = |label: &str, text: &str| format!("{label:<16} {text}").trim_end().to_owned();
    match name {
        "google.rpc.BadRequest" => {
            let each = all("fieldViolations");
            let each = each.iter().map(|it| {
                line(
                    "field_violation",
                    &format!("{}: {}", text(it, "field"), text(it, "description")),
                )
            });
            each.collect()
        }
        "google.rpc.ResourceInfo" => {
            let kind = text(detail, "resourceType");
            let what = format!("{kind} {}", text(detail, "resourceName"));
            let description = text(detail, "description");
            let gap = if description.is_empty() { "" } else { ": " };
            vec![line("resource", &format!("{what}{gap}{description}"))]
        }
        "google.rpc.ErrorInfo" => {
            let mut out = format!("{} ({})", text(detail, "reason"), text(detail, "domain"));
            let metadata = detail.get("metadata").and_then(Value::as_object);
            for (key, value) in metadata.into_iter().flatten() {
                out.push_str(&format!(" {key}={}", cell(Some(value))));
            }
            vec![line("reason", &out)]
        }
        "google.rpc.RetryInfo" => vec![line(
            "retry",
            &format!("after {}", text(detail, "retryDelay")),
        )],
        "google.rpc.LocalizedMessage" => vec![line("message", &text(detail, "message"))],
        "google.rpc.Help" => {
            let each = all("links");
            let each = each.iter().map(|it| {
                line(
                    "help",
                    &format!("{} {}", text(it, "description"), text(it, "url")),
                )
            });
            each.collect()
        }
        "google.rpc.PreconditionFailure" | "google.rpc.QuotaFailure" => {
            let each = all("violations");
            let each = each.iter().map(|it| {
                let what = format!(
                    "{} {}: {}",
                    text(it, "type"),
                    text(it, "subject"),
                    text(it, "description")
                );
                line("violation", what.trim())
            });
            each.collect()
        }
        // For the authors of the server, and long.
        "google.rpc.DebugInfo" => Vec::new(),
        _ => {
            let mut members = detail.clone();
            if let Some(members) = members.as_object_mut() {
                members.remove("@type");
            }
            vec![line("detail", &format!("{name} {members}"))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn standard_details_are_told_in_words() {
        let host = "type.googleapis.com/google.rpc.";
        let tree = json!({"error": {"details": [
            {"@type": format!("{host}BadRequest"), "fieldViolations": [{"field": "tables[1]", "description": "did you mean `orders`?"}]},
            {"@type": format!("{host}ResourceInfo"), "resourceType": "Table", "resourceName": "tables/oders", "description": ""},
            {"@type": format!("{host}ErrorInfo"), "reason": "DISK_FULL", "domain": "x.test", "metadata": {"disk": "a"}},
            {"@type": "x/no.such.Detail", "value": "/w=="},
        ]}});
        assert_eq!(
            lines(&tree),
            [
                "field_violation  tables[1]: did you mean `orders`?",
                "resource         Table tables/oders",
                "reason           DISK_FULL (x.test) disk=a",
                "detail           no.such.Detail {\"value\":\"/w==\"}",
            ]
        );
        assert!(lines(&json!({})).is_empty());
    }
}
