//! The last word of a filter.

use std::collections::BTreeSet;

use lro_core::inspection::{ListOperationsRequest, RecordView};
use prost_reflect::MessageDescriptor;

use super::NEWEST;
use crate::context::Context;
use crate::failure::Failure;
use crate::inspection::Inspection;
use crate::types::{operation_info, starts_operation};

/// The fields of every operation, as in `lro help filter`.
const FIELDS: [(&str, &str); 14] = [
    ("state", "PENDING, RUNNING, .."),
    ("done", "true or false"),
    ("method", "as in \"Export\""),
    ("name", "as in \"operations/import-*\""),
    ("create_time", "as in \"2026-01-31T00:00:00Z\""),
    ("update_time", ""),
    ("start_time", ""),
    ("end_time", ""),
    ("expire_time", ""),
    ("attempt", "a number"),
    ("error.code", "as in NOT_FOUND"),
    ("labels.", "labels.KEY"),
    ("metadata.", "a field of the metadata"),
    ("response.", "a field of the response"),
];

const STATES: [&str; 6] = [
    "PENDING",
    "RUNNING",
    "CANCELLING",
    "SUCCEEDED",
    "FAILED",
    "CANCELLED",
];

/// A filter, cut before its last word.
pub(super) fn split(filter: &str) -> (&str, &str) {
    let is_end = |it: char| it.is_whitespace() || "()=<>!:".contains(it);
    let at = filter.rfind(is_end).map_or(0, |at| {
        at + filter[at..].chars().next().map_or(0, char::len_utf8)
    });
    filter.split_at(at)
}

/// The candidates for the last word, each with its explanation.
pub(super) async fn candidates(
    before: &str,
    word: &str,
    context: impl FnOnce() -> Option<Context>,
) -> Vec<(String, String)> {
    let plain = |words: &[&str]| {
        words
            .iter()
            .map(|it| ((*it).to_owned(), String::new()))
            .collect()
    };
    let compared = before
        .trim_end()
        .trim_end_matches(['=', '!', ':', '<', '>'])
        .trim_end();
    if compared.len() < before.trim_end().len() {
        return match compared.rsplit([' ', '(']).next().unwrap_or_default() {
            "state" => plain(&STATES),
            "done" => plain(&["true", "false"]),
            _ => Vec::new(),
        };
    }
    if let Some((payload, _)) = word.split_once('.')
        && ["metadata", "response"].contains(&payload)
    {
        let fields = match context() {
            Some(context) => payload_fields(&context, payload).await.unwrap_or_default(),
            None => BTreeSet::new(),
        };
        return fields.into_iter().collect();
    }
    if word.starts_with("labels.") {
        let keys = match context() {
            Some(context) => labels(&context).await,
            None => BTreeSet::new(),
        };
        let keys = keys
            .into_iter()
            .map(|key| (format!("labels.{key}"), String::new()));
        return keys.collect();
    }
    let fields = FIELDS.map(|(name, help)| (name.to_owned(), help.to_owned()));
    let mut found = Vec::from(fields);
    if !before.trim().is_empty() {
        found.extend(["AND", "OR", "NOT"].map(|it| (it.to_owned(), String::new())));
    }
    found
}

/// The fields of the payloads of all methods, as paths with their types.
pub(crate) async fn payload_fields(
    context: &Context,
    payload: &str,
) -> Result<BTreeSet<(String, String)>, Failure> {
    let (methods, _) = context.types.methods().await?;
    let mut fields = BTreeSet::new();
    for method in methods.iter().filter(|it| starts_operation(it)) {
        let (response, metadata) = operation_info(method);
        let name = if payload == "metadata" {
            metadata
        } else {
            response
        };
        if let Some(message) = context.types.pool().get_message_by_name(&name) {
            fields.extend(fields_of(&message, payload));
        }
    }
    Ok(fields)
}

fn fields_of(message: &MessageDescriptor, payload: &str) -> Vec<(String, String)> {
    let fields = message.fields().map(|field| {
        let kind = crate::commands::start::kind(&field);
        (format!("{payload}.{}", field.name()), kind)
    });
    fields.collect()
}

/// The keys of the labels of the newest operations, where the server tells them.
async fn labels(context: &Context) -> BTreeSet<String> {
    let Ok(Some(inspection)) = Inspection::of(context).await else {
        return BTreeSet::new();
    };
    let request = ListOperationsRequest {
        parent: context.parent(),
        page_size: i32::try_from(NEWEST).unwrap_or(i32::MAX),
        view: RecordView::Summary.into(),
        ..Default::default()
    };
    let page = inspection.list(request).await.unwrap_or_default();
    let records = page.operations.into_iter();
    records.flat_map(|it| it.labels.into_keys()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn words(filter: &str) -> Vec<String> {
        let (before, word) = split(filter);
        let found = candidates(before, word, || None).await;
        let found = found.into_iter().map(|(text, _)| text);
        found.filter(|it| it.starts_with(word)).collect()
    }

    #[tokio::test]
    async fn the_last_word_of_a_filter_is_completed() {
        assert_eq!(words("sta").await, ["state", "start_time"]);
        assert_eq!(words("state = ").await.len(), 6);
        assert_eq!(words("state=FA").await, ["FAILED"]);
        assert_eq!(words("done != ").await, ["true", "false"]);
        assert_eq!(words("done = true A").await, ["AND"]);
        assert_eq!(words("(done = true OR me").await, ["method", "metadata."]);
        assert_eq!(words("create_time > ").await, Vec::<String>::new());
        assert_eq!(split("a = b AND c"), ("a = b AND ", "c"));
        assert_eq!(split("日=日"), ("日=", "日"));
    }
}
