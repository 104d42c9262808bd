//! The fields of filters, for their completion: the standard ones, and those that the visitor's own
//! operations have.

use std::collections::{BTreeMap, BTreeSet};

use http::{Response, StatusCode};
use lro_core::ListOptions;
use lro_core::type_name;
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use prost_types::Any;
use tonic::Status;
use tonic::body::Body;

use super::wanted::Wanted;
use crate::answer;
use crate::page::fault::http_status;
use crate::route::Visit;
use crate::source::View;

/// How many of the newest operations are looked at.
const LOOKED_AT: i32 = 50;

/// The most values of one label.
const MAX_VALUES: usize = 20;

/// The most fields.
const MAX_FIELDS: usize = 200;

/// How deep the fields of payloads are named.
const MAX_DEPTH: usize = 3;

const STATES: [&str; 6] = [
    "PENDING",
    "RUNNING",
    "CANCELLING",
    "SUCCEEDED",
    "FAILED",
    "CANCELLED",
];

/// The fields, each with the values that it may have, as they are written in a filter.
type Fields = BTreeMap<String, BTreeSet<String>>;

/// The fields as JSON: a name, and values.
pub(crate) async fn show(visit: &Visit) -> Response<Body> {
    let fields = fields(visit).await;
    let (status, json) = match fields {
        Ok(fields) => (StatusCode::OK, serde_json::json!(fields)),
        Err(status) => {
            let json = serde_json::json!({ "error": status.message() });
            (http_status(status.code()), json)
        }
    };
    let mut response = answer::whole("application/json", json.to_string().into(), &visit.headers);
    *response.status_mut() = status;
    response
}

async fn fields(visit: &Visit) -> Result<Fields, Status> {
    let wanted = Wanted::of(&visit.query);
    let parent = wanted.parent(&visit.settings.parent)?;
    // Those that the visitor may list, and no others.
    let options = ListOptions::new().page_size(LOOKED_AT);
    let source = &visit.settings.source;
    let page = source.list(&visit.visitor, parent, &options).await?;
    let mut fields = standard();
    for view in &page.views {
        learn(&mut fields, view, &visit.settings.types);
    }
    Ok(fields)
}

fn standard() -> Fields {
    let mut fields = Fields::new();
    for name in [
        "name",
        "method",
        "create_time",
        "update_time",
        "start_time",
        "end_time",
        "expire_time",
        "error",
        "error.code",
        "error.message",
        "attempt",
    ] {
        fields.insert(name.to_owned(), BTreeSet::new());
    }
    let values = |values: &[&str]| values.iter().map(|it| (*it).to_owned()).collect();
    fields.insert("state".to_owned(), values(&STATES));
    fields.insert("done".to_owned(), values(&["true", "false"]));
    fields
}

/// The method, the labels and the payloads of an operation.
fn learn(fields: &mut Fields, view: &View, types: &DescriptorPool) {
    if let Some(record) = &view.record {
        let wire = record.wire();
        add(fields, "method", Some(quoted(&wire.method)));
        for (key, value) in &wire.labels {
            if is_plain(key) {
                add(fields, &format!("labels.{key}"), Some(quoted(value)));
            }
        }
    }
    if let Some(metadata) = &view.operation.metadata {
        payload(fields, "metadata", metadata, types);
    }
    if let Some(lro_core::pb::operation::Result::Response(response)) = &view.operation.result {
        payload(fields, "response", response, types);
    }
}

fn payload(fields: &mut Fields, root: &str, any: &Any, types: &DescriptorPool) {
    if let Some(descriptor) = types.get_message_by_name(type_name(&any.type_url)) {
        message(fields, root, &descriptor, 0);
    }
}

fn message(fields: &mut Fields, path: &str, descriptor: &MessageDescriptor, depth: usize) {
    for field in descriptor.fields() {
        if field.is_list() || field.is_map() || lro_json::is_redacted(&field) {
            continue;
        }
        let path = format!("{path}.{}", field.name());
        match field.kind() {
            Kind::Message(inner) if !inner.full_name().starts_with("google.protobuf.") => {
                if depth + 1 < MAX_DEPTH {
                    message(fields, &path, &inner, depth + 1);
                }
            }
            Kind::Enum(values) => {
                for value in values.values() {
                    add(fields, &path, Some(value.name().to_owned()));
                }
            }
            _ => add(fields, &path, None),
        }
    }
}

fn add(fields: &mut Fields, name: &str, value: Option<String>) {
    if fields.len() >= MAX_FIELDS && !fields.contains_key(name) {
        return;
    }
    let values = fields.entry(name.to_owned()).or_default();
    if values.len() < MAX_VALUES {
        values.extend(value);
    }
}

fn is_plain(text: &str) -> bool {
    let mut chars = text.chars();
    !text.is_empty() && chars.all(|it| it.is_ascii_alphanumeric() || it == '_' || it == '-')
}

/// A text as filters write it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
