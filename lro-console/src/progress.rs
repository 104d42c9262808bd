//! How far an operation is, found in its metadata: the standard has no field for it.

use prost_reflect::{DynamicMessage, Value};

/// How far an operation is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Progress {
    /// From 0 to 1.
    pub(crate) fraction: f64,
    /// As in `5 of 8 tables`; empty for a percentage.
    pub(crate) text: String,
}

impl Progress {
    /// In whole percent.
    pub(crate) fn percent(&self) -> u32 {
        // Between 0 and 100: the fraction is clamped where it is made.
        (self.fraction * 100.0) as u32
    }
}

/// The first rule that fits: a pair of counters such as `tables_done` and `tables_total`, in the
/// message or one level below, that with the largest total; a percentage. Nothing is guessed.
pub(crate) fn find(metadata: &DynamicMessage) -> Option<Progress> {
    let here = numbers(metadata);
    let below = metadata.fields().filter_map(|(_, value)| match value {
        Value::Message(message) => Some(numbers(message)),
        _ => None,
    });
    let all = std::iter::once(here.clone()).chain(below);
    let best = all.filter_map(|numbers| counters(&numbers));
    let best = best.max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((done, total, noun)) = best {
        let fraction = (done / total).clamp(0.0, 1.0);
        let text = format!("{done} of {total} {noun}");
        let text = text.trim_end().to_owned();
        return Some(Progress { fraction, text });
    }
    const PERCENTAGES: [&str; 5] = [
        "progress_percent",
        "progress_percentage",
        "percent_complete",
        "percentage",
        "percent",
    ];
    let percent = here
        .iter()
        .find(|(name, _)| PERCENTAGES.contains(&&**name))?
        .1;
    (0.0..=100.0).contains(&percent).then(|| Progress {
        fraction: percent / 100.0,
        text: String::new(),
    })
}

/// The numeric fields, those with their default too.
fn numbers(message: &DynamicMessage) -> Vec<(String, f64)> {
    use prost_reflect::ReflectMessage as _;
    let fields = message.descriptor();
    let fields = fields
        .fields()
        .filter(|field| !field.is_list() && !field.is_map());
    let numbers = fields.filter_map(|field| {
        let number = match *message.get_field(&field) {
            Value::I32(it) => f64::from(it),
            Value::I64(it) => it as f64,
            Value::U32(it) => f64::from(it),
            Value::U64(it) => it as f64,
            Value::F32(it) => f64::from(it),
            Value::F64(it) => it,
            _ => return None,
        };
        Some((field.name().to_owned(), number))
    });
    numbers.collect()
}

fn counters(numbers: &[(String, f64)]) -> Option<(f64, f64, String)> {
    let pairs = numbers.iter().filter_map(|(name, done)| {
        let noun = done_noun(name)?;
        let total = numbers
            .iter()
            .find(|(name, _)| total_noun(name) == Some(noun))?
            .1;
        let noun = if noun == "work" { "" } else { noun };
        (total > 0.0 && done.is_finite() && total.is_finite())
            .then(|| (*done, total, noun.replace('_', " ")))
    });
    pairs.max_by(|a, b| a.1.total_cmp(&b.1))
}

fn done_noun(name: &str) -> Option<&str> {
    let suffixes = ["_done", "_completed", "_processed", "_finished"];
    let prefixes = ["completed_", "done_", "processed_", "finished_"];
    let stem = suffixes.iter().find_map(|it| name.strip_suffix(it));
    stem.or_else(|| prefixes.iter().find_map(|it| name.strip_prefix(it)))
}

fn total_noun(name: &str) -> Option<&str> {
    let prefixes = ["total_", "estimated_"];
    let stem = name.strip_suffix("_total");
    stem.or_else(|| prefixes.iter().find_map(|it| name.strip_prefix(it)))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn metadata(done: u32, total: u32) -> DynamicMessage {
        let pool = prost_reflect::DescriptorPool::decode(exporter::pb::FILE_DESCRIPTOR_SET);
        let metadata = exporter::pb::ExportMetadata {
            tables_done: done,
            tables_total: total,
        };
        let descriptor = pool.unwrap();
        let name = "exporter.v1.ExportMetadata";
        let descriptor = descriptor.get_message_by_name(name).unwrap();
        DynamicMessage::decode(descriptor, &*metadata.encode_to_vec()).unwrap()
    }

    #[test]
    fn a_pair_of_counters_is_progress() {
        let progress = find(&metadata(5, 8)).unwrap();
        assert_eq!(progress.text, "5 of 8 tables");
        assert_eq!(progress.percent(), 62);
        assert_eq!(find(&metadata(0, 8)).unwrap().percent(), 0);
        assert_eq!(find(&metadata(9, 8)).unwrap().percent(), 100);
        assert_eq!(find(&metadata(5, 0)), None);
    }

    #[test]
    fn names_say_what_is_counted() {
        assert_eq!(done_noun("tables_done"), Some("tables"));
        assert_eq!(done_noun("completed_work"), Some("work"));
        assert_eq!(total_noun("estimated_work"), Some("work"));
        assert_eq!(done_noun("tables_total"), None);
    }
}
