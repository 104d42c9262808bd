//! The whole document.

use std::sync::Arc;

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};

use super::OpenApi;
use super::comments::Comments;
use super::operation::Operations;
use super::path::{PathText, shape};
use super::schema::Schemas;
use crate::router::{EVERY_METHOD, Entry, Router};
use crate::rules::Binding;

/// The methods that OpenAPI knows.
const METHODS: &[&str] = &[
    "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

/// Those that a binding of every method is described with.
const EVERY: &[&str] = &["DELETE", "GET", "PATCH", "POST", "PUT"];

/// A path of the document, with its operations by method.
struct Item {
    path: PathText,
    operations: BTreeMap<String, Value>,
}

pub(super) fn write(
    texts: &OpenApi,
    router: &Router<Arc<Binding>>,
    types: &DescriptorPool,
) -> Value {
    let comments = Comments::new(types, &texts.comments);
    let mut operations = Operations {
        types,
        comments: &comments,
        schemas: Schemas::new(&comments),
    };
    let mut items: BTreeMap<String, Item> = BTreeMap::new();
    let mut numbers: BTreeMap<(String, bool), usize> = BTreeMap::new();
    let mut left_out: Vec<String> = Vec::new();
    let entries = router.entries();
    // Those of every method take what the others leave.
    let (every, one): (Vec<_>, Vec<_>) = (entries.iter()).partition(|it| it.method == EVERY_METHOD);
    for entry in one.into_iter().chain(every) {
        let item = items.entry(shape(entry)).or_insert_with(|| Item {
            path: PathText::new(entry),
            operations: BTreeMap::new(),
        });
        let is_free = |method: &&&str| !item.operations.contains_key(&method.to_lowercase());
        let methods: Vec<&str> = match entry.method {
            EVERY_METHOD => EVERY.iter().filter(is_free).copied().collect(),
            method => METHODS
                .iter()
                .filter(|it| **it == method)
                .filter(is_free)
                .copied()
                .collect(),
        };
        if methods.is_empty() {
            left_out.push(entry.binding.text.clone());
        }
        for method in methods {
            let number = numbers
                .entry((entry.binding.rpc.path.to_string(), entry.binding.is_watch))
                .or_default();
            *number += 1;
            let operation = operations.write(entry, &item.path, *number);
            item.operations.insert(method.to_lowercase(), operation);
        }
    }
    let mut schemas = operations.schemas;
    let details = types.get_message_by_name("google.protobuf.Any");
    let details = details.map_or(json!({}), |any| schemas.message(&any));
    let mut document = json!({
        "openapi": "3.1.0",
        "info": info(texts, &services(&entries)),
        "servers": [{ "url": texts.server_url.as_deref().unwrap_or("/") }],
        "tags": tags(types, &comments, &entries),
        "paths": paths(items),
        "components": {
            "schemas": schemas.finish(),
            "responses": { "Error": error(&details) },
            "parameters": system_parameters(),
        },
    });
    if !left_out.is_empty() {
        // OpenAPI has no such method, or another binding has the same path in its eyes.
        document["x-left-out"] = left_out.into();
    }
    document
}

/// The full names of the services, without that of operations if there are others.
fn services(entries: &[Entry<'_, Arc<Binding>>]) -> BTreeSet<String> {
    let services: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| entry.binding.rpc.path.as_str().split('/').nth(1))
        .map(str::to_owned)
        .collect();
    let own: BTreeSet<String> = services
        .iter()
        .filter(|service| !service.starts_with("google.longrunning."))
        .cloned()
        .collect();
    if own.is_empty() { services } else { own }
}

fn info(texts: &OpenApi, services: &BTreeSet<String>) -> Value {
    let packages: BTreeSet<&str> = services
        .iter()
        .map(|service| service.rsplit_once('.').map_or("", |(package, _)| package))
        .collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    let version = packages
        .first()
        .and_then(|package| package.rsplit('.').next())
        .filter(|part| part.starts_with('v') && part.len() > 1);
    let title = match packages.join(", ") {
        packages if packages.is_empty() => "HTTP/JSON".to_owned(),
        packages => packages,
    };
    let mut info = json!({
        "title": texts.title.clone().unwrap_or(title),
        "version": texts.version.as_deref().or(version).unwrap_or("1"),
    });
    if let Some(description) = &texts.description {
        info["description"] = description.clone().into();
    }
    info
}

fn tags(
    types: &DescriptorPool,
    comments: &Comments,
    entries: &[Entry<'_, Arc<Binding>>],
) -> Vec<Value> {
    let names: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| entry.binding.rpc.path.as_str().split('/').nth(1))
        .collect();
    let tag = |name: &str| {
        let mut tag = json!({ "name": name });
        let service = types.get_service_by_name(name);
        if let Some(comment) =
            service.and_then(|service| comments.service(&service).map(str::to_owned))
        {
            tag["description"] = comment.into();
        }
        tag
    };
    names.into_iter().map(tag).collect()
}

fn paths(items: BTreeMap<String, Item>) -> Value {
    let mut paths = Map::new();
    for item in items
        .into_values()
        .filter(|item| !item.operations.is_empty())
    {
        let mut operations: Map<String, Value> = item.operations.into_iter().collect();
        let system = ["alt", "prettyPrint", "fields"]
            .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
        operations.insert("parameters".into(), system.to_vec().into());
        paths.insert(item.path.text, operations.into());
    }
    paths.into()
}

/// The envelope of errors.
fn error(details: &Value) -> Value {
    let codes: Vec<&str> = (1..17)
        .map(|code| lro_core::code_name(code.into()))
        .collect();
    json!({
        "description": "An error of the gateway or of the rpc.",
        "content": { "application/json": { "schema": {
            "type": "object",
            "required": ["error"],
            "properties": { "error": {
                "type": "object",
                "required": ["code", "message", "status"],
                "properties": {
                    "code": { "type": "integer", "description": "The HTTP status." },
                    "message": { "type": "string" },
                    "status": { "type": "string", "description": "The code of gRPC.", "enum": codes },
                    "details": { "type": "array", "items": details },
                },
            } },
        } } },
    })
}

/// The parameters that every path has.
fn system_parameters() -> Value {
    json!({
        "alt": {
            "name": "$alt",
            "in": "query",
            "description": "The form of the answer. With `enum-encoding=int`, enums are numbers.",
            "schema": { "type": "string", "enum": [
                "json", "json;enum-encoding=int", "json;enum-encoding=string", "sse",
            ] },
        },
        "prettyPrint": {
            "name": "$prettyPrint",
            "in": "query",
            "description": "Whether the answer is indented.",
            "schema": { "type": "boolean" },
        },
        "fields": {
            "name": "$fields",
            "in": "query",
            "description": "The fields of the answer that are wanted: paths, separated by commas. All without it.",
            "schema": { "type": "string" },
        },
    })
}
