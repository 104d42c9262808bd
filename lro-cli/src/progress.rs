//! The progress of an operation, found in its metadata: the standard has no field for it.
//!
//! The first rule that fits wins: fields that the user names; a pair of counters such as
//! `tables_done` and `tables_total`; a percentage; a fraction. Nothing is guessed.

use indicatif::{DecimalBytes, HumanCount};
use serde_json::{Map, Value};

/// How far an operation is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Progress {
    /// From 0 to 1.
    pub(crate) fraction: f64,
    /// As in `5 of 8 tables`.
    pub(crate) text: String,
    /// Which rule found it.
    pub(crate) rule: &'static str,
}

/// The fields that the user names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    done: String,
    total: String,
}

impl Fields {
    /// Reads `done=metadata.a,total=metadata.b`.
    ///
    /// # Errors
    ///
    /// The advice to the user.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut fields = Self::default();
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("done", path)) => path.clone_into(&mut fields.done),
                Some(("total", path)) => path.clone_into(&mut fields.total),
                _ => return Err("write done=FIELD,total=FIELD".to_owned()),
            }
        }
        if fields.done.is_empty() || fields.total.is_empty() {
            return Err("write done=FIELD,total=FIELD".to_owned());
        }
        Ok(fields)
    }
}

/// The progress that the metadata tells. `tree` is the operation as JSON with default values.
pub(crate) fn find(tree: &Value, fields: Option<&Fields>) -> Option<Progress> {
    if let Some(fields) = fields {
        let number = |path: &str| {
            let value = super::output::lookup(tree, path);
            let inside = || super::output::lookup(tree.get("metadata")?, path);
            value.or_else(inside).and_then(number)
        };
        let (done, total) = (number(&fields.done)?, number(&fields.total)?);
        return Some(pair(done, total, "", "--progress-field"));
    }
    let metadata = tree.get("metadata")?.as_object()?;
    pairs(metadata)
        .or_else(|| percentage(metadata))
        .or_else(|| fraction(metadata))
}

/// `X_done` or `completed_X` with `X_total`, `total_X` or `estimated_X`: here, or one message
/// below. Of several the one with the largest total; the next one is text.
fn pairs(message: &Map<String, Value>) -> Option<Progress> {
    let below = message.values().filter_map(Value::as_object);
    let all = std::iter::once(message).chain(below);
    let mut found: Vec<(f64, f64, String)> = Vec::new();
    for message in all {
        for (name, value) in message {
            let Some((noun, done)) = done_noun(name).zip(number(value)) else {
                continue;
            };
            let total = message
                .iter()
                .find(|(name, _)| total_noun(name).as_ref() == Some(&noun));
            let total = total.and_then(|(_, value)| number(value));
            if let Some(total) = total.filter(|it| *it > 0.0) {
                found.push((done, total, noun));
            }
        }
    }
    // Of equal ones the first.
    found.sort_by(|(_, left, _), (_, right, _)| right.total_cmp(left));
    let mut found = found.into_iter();
    let (done, total, noun) = found.next()?;
    let mut progress = pair(done, total, &noun, "a pair of counters");
    if let Some((done, total, noun)) = found.next() {
        progress.text.push_str(", ");
        progress.text.push_str(&count(done, total, &noun));
    }
    Some(progress)
}

fn pair(done: f64, total: f64, noun: &str, rule: &'static str) -> Progress {
    let fraction = if total > 0.0 {
        (done / total).clamp(0.0, 1.0)
    } else {
        0.0
    };
    Progress {
        fraction,
        text: count(done, total, noun),
        rule,
    }
}

/// As in `5 of 8 tables`, or `1.20 MB of 3.42 GB`.
fn count(done: f64, total: f64, noun: &str) -> String {
    if let Some(rest) = noun.strip_suffix("bytes") {
        let bytes = |it: f64| DecimalBytes(it.max(0.0) as u64);
        let text = format!("{} of {} {}", bytes(done), bytes(total), rest.trim_end());
        return text.trim_end().to_owned();
    }
    let noun = if noun == "work" { "" } else { noun };
    let gap = if noun.is_empty() { "" } else { " " };
    format!("{} of {}{gap}{noun}", grouped(done), grouped(total))
}

/// A number, with thousands apart where it is long.
fn grouped(number: f64) -> String {
    if number.fract() == 0.0 && number >= 10_000.0 {
        HumanCount(number as u64).to_string()
    } else {
        number.to_string()
    }
}

/// The noun that a counter of what is done counts, from names in lowerCamelCase.
fn done_noun(name: &str) -> Option<String> {
    let name = snake(name);
    let suffixes = ["_done", "_completed", "_processed", "_finished"];
    let prefixes = ["completed_", "done_", "processed_", "finished_"];
    let stem = suffixes.iter().find_map(|it| name.strip_suffix(it));
    stem.or_else(|| prefixes.iter().find_map(|it| name.strip_prefix(it)))
        .map(|it| it.replace('_', " "))
}

fn total_noun(name: &str) -> Option<String> {
    let name = snake(name);
    let prefixes = ["total_", "estimated_"];
    let stem = name.strip_suffix("_total");
    stem.or_else(|| prefixes.iter().find_map(|it| name.strip_prefix(it)))
        .map(|it| it.replace('_', " "))
}

/// A number named as a percentage, in 0..100; the mean of those in a repeated `progress`.
fn percentage(metadata: &Map<String, Value>) -> Option<Progress> {
    const NAMES: [&str; 5] = [
        "progressPercent",
        "progressPercentage",
        "percentComplete",
        "percentage",
        "percent",
    ];
    let of = |message: &Map<String, Value>| {
        let mut values = NAMES.iter().filter_map(|name| number(message.get(*name)?));
        values.rfind(|it| (0.0..=100.0).contains(it))
    };
    let several = || {
        let all = metadata.get("progress")?.as_array()?;
        let all: Vec<f64> = all.iter().filter_map(|it| of(it.as_object()?)).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    };
    let percent = of(metadata).or_else(several)?;
    Some(Progress {
        fraction: percent / 100.0,
        text: String::new(),
        rule: "a percentage",
    })
}

/// A float named `progress`, in 0..1.
fn fraction(metadata: &Map<String, Value>) -> Option<Progress> {
    let value = metadata
        .get("progress")
        .filter(|it| it.is_f64())?
        .as_f64()?;
    (0.0..=1.0).contains(&value).then(|| Progress {
        fraction: value,
        text: String::new(),
        rule: "a fraction",
    })
}

/// A number, also one that JSON has as text because it has 64 bits.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// `tablesDone` as `tables_done`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        if char.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(char.to_ascii_lowercase());
    }
    out
}

/// The remaining time from what was observed: linear over it, once there are 10 s and 5 %.
#[derive(Clone, Debug, Default)]
pub(crate) struct Estimate {
    /// Seconds and fractions, oldest first.
    seen: Vec<(f64, f64)>,
}

impl Estimate {
    /// How many observations are kept.
    const MAX: usize = 512;

    /// Takes a fraction at a time in seconds.
    pub(crate) fn observe(&mut self, seconds: f64, fraction: f64) {
        if self.seen.last().is_some_and(|(_, last)| fraction < *last) {
            // It went back: what was seen before says nothing any more.
            self.seen.clear();
        }
        if self.seen.len() == Self::MAX {
            self.seen.remove(0);
        }
        self.seen.push((seconds, fraction));
    }

    /// As in `about 4 min`.
    pub(crate) fn left(&self) -> Option<String> {
        let (first, last) = (self.seen.first()?, self.seen.last()?);
        if last.0 - first.0 < 10.0 || last.1 - first.1 < 0.05 || last.1 >= 1.0 {
            return None;
        }
        // The last fifth of the time, or all of it where nothing happened then.
        let from = last.0 - (last.0 - first.0) / 5.0;
        let recent = self.seen.iter().rev().find(|(at, _)| *at <= from);
        let base = recent
            .filter(|(_, fraction)| *fraction < last.1)
            .unwrap_or(first);
        let seconds = (1.0 - last.1) * (last.0 - base.0) / (last.1 - base.1);
        Some(match seconds {
            it if it < 55.0 => format!("about {} s", ((it / 5.0).ceil() * 5.0).max(5.0)),
            it if it < 3_300.0 => format!("about {} min", (it / 60.0).round().max(1.0)),
            it => format!("about {} h", (it / 3_600.0).round().max(1.0)),
        })
    }
}

/// Ten signs of a bar: `[######----]`.
pub(crate) fn bar(fraction: f64) -> String {
    let fraction = fraction.clamp(0.0, 1.0);
    let most = if fraction < 1.0 { 9 } else { 10 };
    let filled = ((fraction * 10.0).round() as usize).min(most);
    format!("[{}{}]", "#".repeat(filled), "-".repeat(10 - filled))
}

/// ` 62 %`, four characters and a sign.
pub(crate) fn percent(fraction: f64) -> String {
    // Not 100 before it is done.
    format!("{:>3} %", (fraction.clamp(0.0, 1.0) * 100.0).floor())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(metadata: &Value) -> Option<(String, String)> {
        let found = find(&json!({ "metadata": metadata }), None)?;
        Some((percent(found.fraction), found.text))
    }

    #[test]
    fn the_first_rule_that_fits_wins() {
        for (metadata, percent, text) in [
            (
                json!({"tablesDone": 5, "tablesTotal": 8}),
                " 62 %",
                "5 of 8 tables",
            ),
            (
                json!({"rowsCompleted": "10", "totalRows": "40"}),
                " 25 %",
                "10 of 40 rows",
            ),
            (
                json!({"progressDocuments": {"completedWork": "1", "estimatedWork": "2"}}),
                " 50 %",
                "1 of 2",
            ),
            (
                json!({"filesDone": 1, "filesTotal": 2, "bytesDone": "1", "bytesTotal": "100"}),
                "  1 %",
                "1 B of 100 B, 1 of 2 files",
            ),
            (
                json!({"bytesDone": "1200000", "bytesTotal": "3417237644"}),
                "  0 %",
                "1.20 MB of 3.42 GB",
            ),
            (
                json!({"rowsDone": 12_345, "rowsTotal": 1_000_000}),
                "  1 %",
                "12,345 of 1,000,000 rows",
            ),
            (json!({"progressPercent": 70, "progress": 0.1}), " 70 %", ""),
            (
                json!({"progress": [{"progressPercent": 50}, {"progressPercent": 100}]}),
                " 75 %",
                "",
            ),
            (json!({"progress": 0.5}), " 50 %", ""),
        ] {
            assert_eq!(
                found(&metadata),
                Some((percent.to_owned(), text.to_owned())),
                "{metadata}"
            );
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for metadata in [
            json!({}),
            json!({"rows": "7"}),
            json!({"tablesDone": 5}),
            json!({"tablesDone": 0, "tablesTotal": 0}),
            json!({"progressPercent": 7000}),
            json!({"progress": 3.5}),
            json!({"tablesDone": "many", "tablesTotal": 8}),
        ] {
            assert_eq!(found(&metadata), None, "{metadata}");
        }
    }

    #[test]
    fn named_fields_come_first() {
        let fields = Fields::parse("done=metadata.a.b,total=c").unwrap();
        let tree = json!({"metadata": {"a": {"b": 1}, "c": "4", "progress": 0.9}});
        let found = find(&tree, Some(&fields)).unwrap();
        assert_eq!((found.fraction, found.rule), (0.25, "--progress-field"));
        assert!(Fields::parse("done=a").is_err());
    }

    #[test]
    fn an_estimate_needs_ten_seconds_and_five_percent() {
        let mut estimate = Estimate::default();
        estimate.observe(0.0, 0.0);
        estimate.observe(9.0, 0.5);
        assert_eq!(estimate.left(), None);
        estimate.observe(100.0, 0.5);
        assert_eq!(estimate.left().as_deref(), Some("about 2 min"));
        estimate.observe(101.0, 0.1);
        assert_eq!(estimate.left(), None);
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        assert_eq!(bar(0.62), "[######----]");
        assert_eq!(bar(0.999), "[#########-]");
        assert_eq!(percent(0.999), " 99 %");
        assert_eq!(bar(7.0), "[##########]");
        assert_eq!(bar(f64::NAN), "[----------]");
    }
}
