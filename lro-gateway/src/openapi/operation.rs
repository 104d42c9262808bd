//! One rpc under one path and method.

use std::sync::Arc;

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;
use super::path::{PathText, variable, wildcard};
use super::schema::Schemas;
use super::{field, well_known};
use crate::message::is_http_body;
use crate::reply::GET_OPERATION;
use crate::router::Entry;
use crate::rules::{Binding, Body};
use crate::template::Segment;

/// How deep the fields of messages are parameters of a query. Deeper ones work and are not described.
const MAX_QUERY_DEPTH: usize = 3;

/// Writes operations.
pub(super) struct Operations<'d> {
    pub(super) types: &'d DescriptorPool,
    pub(super) comments: &'d Comments,
    pub(super) schemas: Schemas<'d>,
}

impl Operations<'_> {
    /// The operation of a binding. Its id is unique if `number` counts the bindings of the rpc.
    pub(super) fn write(
        &mut self,
        entry: &Entry<'_, Arc<Binding>>,
        path: &PathText,
        number: usize,
    ) -> Value {
        let binding = entry.binding;
        let method = method(self.types, binding);
        let mut operation = json!({
            "parameters": self.parameters(entry, path),
            "responses": self.responses(binding, method.as_ref()),
        });
        if let Some(method) = &method {
            let service = method.parent_service();
            let mut id = format!("{}_{}", service.name(), method.name());
            if number > 1 {
                id.push_str(&format!("_{number}"));
            }
            if binding.is_watch {
                id.push_str("_watch");
            }
            operation["operationId"] = id.into();
            operation["tags"] = json!([service.full_name()]);
            if let Some(comment) = self.comments.method(method) {
                operation["summary"] = first_sentence(comment).into();
                operation["description"] = comment.into();
            }
            if field::is_deprecated(&method.options()) {
                operation["deprecated"] = true.into();
            }
            if let Some((response, metadata)) = operation_info(method) {
                operation["x-google-lro"] =
                    json!({ "responseType": response, "metadataType": metadata });
            }
        }
        if let Some(body) = self.body(binding) {
            operation["requestBody"] = body;
        }
        operation
    }

    fn parameters(&mut self, entry: &Entry<'_, Arc<Binding>>, path: &PathText) -> Vec<Value> {
        let mut parameters: Vec<Value> = Vec::new();
        for (index, segment) in entry.segments.iter().enumerate() {
            if matches!(segment, Segment::Literal(_)) {
                continue;
            }
            let name = &path.parameters[wildcard(entry, index)];
            let mut schema = json!({ "type": "string", "minLength": 1 });
            let mut description = String::new();
            if let Some(variable) = variable(entry, index)
                && let Some(field) = variable.field.last()
            {
                if !matches!(field.kind(), Kind::String) {
                    schema = self.schemas.value(&field.kind());
                }
                if let Some(comment) = self.comments.field(field) {
                    description.push_str(comment);
                    description.push_str("\n\n");
                }
                if variable.count > 1 {
                    let pattern = path.pattern(entry, variable);
                    let name = field.name();
                    description.push_str(&format!("`{name}` is `{pattern}`."));
                }
            }
            let mut parameter =
                json!({ "name": name, "in": "path", "required": true, "schema": schema });
            if *segment == Segment::Multi {
                description
                    .push_str(" It may have several segments, whose slashes are not encoded.");
                parameter["x-multi-segment"] = true.into();
            }
            if !description.is_empty() {
                parameter["description"] = description.trim().into();
            }
            parameters.push(parameter);
        }
        if !matches!(entry.binding.body, Body::Message) {
            let input = entry.binding.rpc.input.clone();
            self.query(entry.binding, &input, &mut Vec::new(), &mut parameters);
        }
        parameters
    }

    /// Adds the fields of a message that are parameters of the query.
    fn query(
        &mut self,
        binding: &Binding,
        message: &MessageDescriptor,
        above: &mut Vec<FieldDescriptor>,
        parameters: &mut Vec<Value>,
    ) {
        for found in message.fields() {
            above.push(found.clone());
            let is_bound = binding
                .variables
                .iter()
                .any(|variable| variable.field == *above)
                || matches!(&binding.body, Body::Field(body) if above[..] == [body.clone()]);
            let inner = match found.kind() {
                Kind::Message(inner) if !well_known::is_text(inner.full_name()) => Some(inner),
                _ => None,
            };
            match inner {
                _ if is_bound || found.is_map() => {}
                None => parameters.push(self.query_parameter(above)),
                Some(inner) if may_descend(&found, &inner, above) => {
                    self.query(binding, &inner, above, parameters);
                }
                Some(_) => {}
            }
            above.pop();
        }
    }

    fn query_parameter(&mut self, path: &[FieldDescriptor]) -> Value {
        let names: Vec<&str> = path.iter().map(FieldDescriptor::json_name).collect();
        let mut parameter = json!({ "name": names.join("."), "in": "query" });
        if let [.., last] = path {
            let mut schema = self.schemas.value(&last.kind());
            if last.is_list() {
                schema = json!({ "type": "array", "items": schema });
            }
            parameter["schema"] = schema;
            if let Some(comment) = self.comments.field(last) {
                parameter["description"] = comment.into();
            }
            if path.len() == 1 && field::is_required(last) {
                parameter["required"] = true.into();
            }
        }
        parameter
    }

    fn body(&mut self, binding: &Binding) -> Option<Value> {
        let schema = match &binding.body {
            Body::None => return None,
            Body::Message if is_http_body(&binding.rpc.input) => return Some(raw()),
            Body::Field(field) => match field.kind() {
                Kind::Message(message) if is_http_body(&message) && !field.is_list() => {
                    return Some(raw());
                }
                _ => self.schemas.field(field),
            },
            Body::Message => self.message_body(binding),
        };
        Some(json!({ "content": { "application/json": { "schema": schema } } }))
    }

    /// The request message without the fields that the path gives.
    fn message_body(&mut self, binding: &Binding) -> Value {
        let by_path = |field: &FieldDescriptor| {
            binding
                .variables
                .iter()
                .any(|variable| variable.field[..] == [field.clone()])
        };
        let input = &binding.rpc.input;
        if input.fields().any(|field| by_path(&field)) {
            self.schemas.object(input, by_path)
        } else {
            self.schemas.message(input)
        }
    }

    fn responses(&mut self, binding: &Binding, method: Option<&MethodDescriptor>) -> Value {
        let schema = match &binding.response_body {
            Some(field) => match field.kind() {
                Kind::Message(message) if is_http_body(&message) && !field.is_list() => None,
                // A message that is not set is null.
                Kind::Message(_) if !field.is_list() && !field.is_map() => {
                    let schema = self.schemas.field(field);
                    Some(json!({ "anyOf": [schema, { "type": "null" }] }))
                }
                _ => Some(self.schemas.field(field)),
            },
            None if is_http_body(&binding.rpc.output) => None,
            None => Some(self.message_response(binding, method)),
        };
        let mut content = Map::new();
        match schema {
            None => {
                content.insert("*/*".into(), json!({}));
            }
            Some(_) if binding.is_watch => {
                content.insert("text/event-stream".into(), json!({}));
            }
            Some(schema) if binding.rpc.server_streaming => {
                let list = json!({ "schema": { "type": "array", "items": schema } });
                content.insert("application/json".into(), list);
                content.insert("application/x-ndjson".into(), json!({}));
                content.insert("text/event-stream".into(), json!({}));
            }
            Some(schema) => {
                content.insert("application/json".into(), json!({ "schema": schema }));
            }
        }
        let mut responses = json!({
            "200": { "description": "The response of the rpc.", "content": content },
            "default": { "$ref": "#/components/responses/Error" },
        });
        if binding.is_watch {
            responses["204"] = json!({
                "description": "The operation is done, and as `Last-Event-ID` says.",
            });
        } else if binding.rpc.path.as_str() == GET_OPERATION {
            responses["200"]["content"]["text/event-stream"] = json!({});
            responses["304"] = json!({
                "description": "The operation is as `If-None-Match` says.",
            });
        }
        responses
    }

    /// The response message; an operation with the types that `operation_info` says.
    fn message_response(&mut self, binding: &Binding, method: Option<&MethodDescriptor>) -> Value {
        let output = self.schemas.message(&binding.rpc.output);
        let Some((response, metadata)) = method.and_then(operation_info) else {
            return output;
        };
        let mut properties = Map::new();
        for (name, of) in [("response", response), ("metadata", metadata)] {
            if let Some(message) = self.types.get_message_by_name(&of) {
                properties.insert(name.into(), self.schemas.packed(&message));
            }
        }
        json!({ "allOf": [output, { "type": "object", "properties": properties }] })
    }
}

/// A body of bytes.
fn raw() -> Value {
    json!({ "content": { "*/*": {} } })
}

/// Whether the fields of a message are parameters too: it is no list, not too deep, not within itself, and
/// has fields at all.
fn may_descend(
    field: &FieldDescriptor,
    message: &MessageDescriptor,
    above: &[FieldDescriptor],
) -> bool {
    let is_recursive = above.iter().any(|field| field.parent_message() == message);
    let is_special = lro_json::has_own_form(message);
    !field.is_list() && above.len() < MAX_QUERY_DEPTH && !is_recursive && !is_special
}

fn method(types: &DescriptorPool, binding: &Binding) -> Option<MethodDescriptor> {
    let path = binding.rpc.path.as_str().strip_prefix('/')?;
    let (service, method) = path.split_once('/')?;
    let service = types.get_service_by_name(service)?;
    service.methods().find(|found| found.name() == method)
}

/// The full names of response and metadata that `google.longrunning.operation_info` gives.
fn operation_info(method: &MethodDescriptor) -> Option<(String, String)> {
    let pool = method.parent_pool();
    let extension = pool.get_extension_by_name("google.longrunning.operation_info")?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let info = options.get_extension(&extension);
    let info = info.as_message()?;
    let file = method.parent_service().parent_file();
    let package = file.package_name();
    let name = |field: &str| {
        let name = info.get_field_by_name(field)?.as_str()?.to_owned();
        let local = format!("{package}.{name}");
        let is_local = pool.get_message_by_name(&local).is_some();
        Some(if is_local { local } else { name })
    };
    Some((name("response_type")?, name("metadata_type")?))
}

fn first_sentence(comment: &str) -> String {
    let paragraph = comment.split("\n\n").next().unwrap_or_default();
    let paragraph = paragraph.replace('\n', " ");
    let end = paragraph.find(". ").map_or(paragraph.len(), |end| end + 1);
    paragraph[..end].to_owned()
}
