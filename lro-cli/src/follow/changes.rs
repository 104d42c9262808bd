//! Differences of metadata between two answers of a server.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// How many differences of one answer are written for people.
const MAX_SHOWN: usize = 12;
/// The longest value for people, in characters.
const MAX_VALUE: usize = 40;

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// Where: `tablesDone`, or `progress.0.percent`.
    path: String,
    from: Value,
    to: Value,
}

/// The fields that differ, in the order of their names. A missing one is null.
pub(super) fn between(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    collect("", before, after, &mut found);
    found
}

fn collect(path: &str, before: &Value, after: &Value, found: &mut Vec<Change>) {
    let below = |step: &str| match path {
        "" => step.to_owned(),
        path => format!("{path}.{step}"),
    };
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(before), Value::Object(after)) => {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            let of = |object: &serde_json::Map<String, Value>, key: &str| {
                object.get(key).cloned().unwrap_or_default()
            };
            for key in keys {
                collect(&below(key), &of(before, key), &of(after, key), found);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                collect(&below(&index.to_string()), before, after, found);
            }
        }
        _ => found.push(Change {
            path: path.to_owned(),
            from: before.clone(),
            to: after.clone(),
        }),
    }
}

/// One line for people: `tablesDone: 5 → 6, current: orders → users`.
pub(super) fn line(changes: &[Change], arrow: &str) -> String {
    let shown = changes.iter().take(MAX_SHOWN).map(|change| {
        let (from, to) = (value(&change.from), value(&change.to));
        match &*change.path {
            "" => format!("{from} {arrow} {to}"),
            path => format!("{path}: {from} {arrow} {to}"),
        }
    });
    let mut parts: Vec<String> = shown.collect();
    if changes.len() > MAX_SHOWN {
        parts.push(format!("and {} more", changes.len() - MAX_SHOWN));
    }
    parts.join(", ")
}

/// For scripts: the path in the operation, and both values.
pub(super) fn document(changes: &[Change]) -> Value {
    let all = changes.iter().map(|change| {
        let path = match &*change.path {
            "" => "metadata".to_owned(),
            path => format!("metadata.{path}"),
        };
        json!({"path": path, "from": change.from, "to": change.to})
    });
    all.collect()
}

fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    if text.chars().count() <= MAX_VALUE {
        return text;
    }
    let head: String = text.chars().take(MAX_VALUE - 1).collect();
    format!("{head}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_with_its_path() {
        let before = json!({"done": 5, "current": "orders", "at": {"a": [1, 2]}, "old": true});
        let after = json!({"done": 6, "current": "", "at": {"a": [1, 3]}, "new": [1]});
        let found = between(&before, &after);
        assert_eq!(
            line(&found, "→"),
            "at.a.1: 2 → 3, current: orders → \"\", done: 5 → 6, new: - → [1], old: true → -"
        );
        assert_eq!(
            document(&found)[0],
            json!({"path": "metadata.at.a.1", "from": 2, "to": 3})
        );
        assert_eq!(between(&after, &after), []);
    }

    #[test]
    fn long_values_and_many_changes_are_cut_for_people_only() {
        let before: Value = (0..20)
            .map(|index| (format!("f{index}"), json!(0)))
            .collect();
        let after: Value = (0..20)
            .map(|index| (format!("f{index}"), json!("x".repeat(100))))
            .collect();
        let found = between(&before, &after);
        let text = line(&found, "->");
        assert!(text.ends_with("and 8 more"), "{text}");
        assert!(text.len() < 1_000, "{text}");
        assert_eq!(document(&found)[19]["to"].as_str().unwrap().len(), 100);
    }

    #[test]
    fn metadata_that_appears_is_one_change() {
        let found = between(&Value::Null, &json!({"a": 1}));
        assert_eq!(line(&found, "->"), "- -> {\"a\":1}");
        assert_eq!(document(&found)[0]["path"], "metadata");
    }
}
