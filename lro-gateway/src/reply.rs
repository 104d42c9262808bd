//! Answers as HTTP responses.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use lro_core::UnknownTypes;
use lro_json::{WriteError, WriteOptions};
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MapKey, ReflectMessage as _, Value};
use sha2::{Digest as _, Sha256};

use crate::body::Body;
use crate::fault::Fault;
use crate::media_type;
use crate::message::is_http_body;
use crate::rules::Binding;
use crate::system::SystemParameters;

/// The smallest answer that is compressed, in bytes.
const MIN_COMPRESSED: usize = 1_024;

/// The rpc whose answers have an entity tag: operations are polled.
pub(crate) const GET_OPERATION: &str = "/google.longrunning.Operations/GetOperation";

/// How messages become JSON.
pub(crate) struct Writer<'w> {
    pub(crate) types: &'w DescriptorPool,
    pub(crate) default_values: bool,
    pub(crate) system: &'w SystemParameters,
    pub(crate) binding: &'w Binding,
    /// The seconds after which a client may poll an unfinished operation again.
    pub(crate) poll_hint: Option<u64>,
    /// Where the server counts values of unknown types.
    pub(crate) unknown_types: Option<&'w UnknownTypes>,
}

impl Writer<'_> {
    /// A message of the answer as JSON.
    pub(crate) fn json(&self, message: &DynamicMessage) -> Result<String, Fault> {
        let options = WriteOptions::new()
            .types(self.types.clone())
            .default_values(self.default_values)
            .enums_as_numbers(self.system.enums_as_numbers)
            .pretty(self.system.pretty);
        let masked = self.masked(message);
        let message = masked.as_ref().unwrap_or(message);
        let written = match &self.binding.response_body {
            Some(field) => options.write_field(message, field),
            None => options.write(message),
        };
        let written = written.map_err(|error| self.unwritable(&error))?;
        if written.opaque > 0 {
            let rpc = &self.binding.rpc.path;
            tracing::debug!(%rpc, count = written.opaque, "wrote values of unknown types as base64");
            if let Some(unknown_types) = self.unknown_types {
                unknown_types.count(&self.binding.route, written.opaque);
            }
        }
        Ok(written.json)
    }

    /// The message with the wanted fields only. `None` for all.
    fn masked(&self, message: &DynamicMessage) -> Option<DynamicMessage> {
        if self.system.fields.is_empty() {
            return None;
        }
        let paths: Vec<&[String]> = self.system.fields.iter().map(Vec::as_slice).collect();
        let mut masked = message.clone();
        match &self.binding.response_body {
            None => keep(&mut masked, &paths),
            Some(field) => match masked.get_field_mut(field) {
                Value::Message(inner) => keep(inner, &paths),
                Value::List(list) => list
                    .iter_mut()
                    .filter_map(Value::as_message_mut)
                    .for_each(|inner| keep(inner, &paths)),
                _ => {}
            },
        }
        Some(masked)
    }

    fn unwritable(&self, error: &WriteError) -> Fault {
        tracing::error!(rpc = %self.binding.rpc.path, %error, "the service has sent a value without a JSON form");
        let message = format!("the answer has a value without a JSON form: {error}");
        lro_core::Reason::Internal.status(message, []).into()
    }

    /// The response of one message.
    pub(crate) fn response(
        &self,
        message: &DynamicMessage,
        request: &HeaderMap,
    ) -> Result<Response<Body>, Fault> {
        if let Some(raw) = self.raw(message) {
            return Ok(raw);
        }
        let json = self.json(message)?;
        let tag = (self.binding.rpc.path.as_str() == GET_OPERATION).then(|| entity_tag(&json));
        let is_done = is_done(message);
        let is_known = tag.as_ref().is_some_and(|tag| is_among(tag, request));
        let mut response = if is_known {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            compressed(json.into(), request)
        };
        let headers = response.headers_mut();
        if !is_known {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=utf-8"),
            );
        }
        if let Some(tag) = tag.and_then(|tag| tag.parse().ok()) {
            headers.insert(ETAG, tag);
            if !is_done {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                if let Some(seconds) = self.poll_hint {
                    headers.insert(RETRY_AFTER, seconds.into());
                }
            }
        }
        Ok(response)
    }

    /// The response of a `google.api.HttpBody`: its bytes as they are.
    fn raw(&self, message: &DynamicMessage) -> Option<Response<Body>> {
        let field;
        let content = match &self.binding.response_body {
            None => message,
            Some(body) => {
                let is_message =
                    !(body.is_list() || body.is_map()) && matches!(body.kind(), Kind::Message(_));
                field = is_message.then(|| message.get_field(body))?;
                field.as_message()?
            }
        };
        if !is_http_body(&content.descriptor()) {
            return None;
        }
        let content_type = content
            .get_field_by_number(1)?
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let data = content
            .get_field_by_number(2)?
            .as_bytes()
            .cloned()
            .unwrap_or_default();
        let mut response = Response::new(Body::full(data));
        let content_type = HeaderValue::from_str(&content_type)
            .ok()
            .filter(media_type::is_well_formed);
        let content_type =
            content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        Some(response)
    }
}

/// Keeps the fields on these paths, and the entries of maps. Well-known types are kept whole.
fn keep(message: &mut DynamicMessage, paths: &[&[String]]) {
    let fields: Vec<_> = message.fields().map(|(field, _)| field).collect();
    for field in fields {
        let names = |name: &String| name == field.json_name() || name == field.name();
        let below: Vec<&[String]> = (paths.iter())
            .filter_map(|path| path.split_first())
            .filter(|(first, _)| names(first))
            .map(|(_, rest)| rest)
            .collect();
        if below.is_empty() {
            message.clear_field(&field);
            continue;
        }
        if below.iter().any(|path| path.is_empty()) {
            continue;
        }
        match message.get_field_mut(&field) {
            Value::List(list) => list.iter_mut().for_each(|value| keep_in(value, &below)),
            Value::Map(map) => keep_entries(map, &below),
            value => keep_in(value, &below),
        }
    }
}

fn keep_in(value: &mut Value, paths: &[&[String]]) {
    if let Value::Message(message) = value
        && !lro_json::has_own_form(&message.descriptor())
    {
        keep(message, paths);
    }
}

fn keep_entries(map: &mut HashMap<MapKey, Value>, paths: &[&[String]]) {
    map.retain(|key, value| {
        let key = match key {
            MapKey::Bool(key) => key.to_string(),
            MapKey::I32(key) => key.to_string(),
            MapKey::I64(key) => key.to_string(),
            MapKey::U32(key) => key.to_string(),
            MapKey::U64(key) => key.to_string(),
            MapKey::String(key) => key.clone(),
        };
        let below: Vec<&[String]> = (paths.iter())
            .filter_map(|path| path.split_first())
            .filter(|(first, _)| **first == key)
            .map(|(_, rest)| rest)
            .collect();
        if !below.is_empty() && below.iter().all(|path| !path.is_empty()) {
            keep_in(value, &below);
        }
        !below.is_empty()
    });
}

/// Whether the operation is done.
pub(crate) fn is_done(operation: &DynamicMessage) -> bool {
    let done = operation.get_field_by_name("done");
    done.is_some_and(|done| done.as_bool() == Some(true))
}

/// A tag of the JSON: equal messages have equal ones.
pub(crate) fn entity_tag(json: &str) -> String {
    let digest = Sha256::digest(json.as_bytes());
    let mut tag = String::from('"');
    for byte in &digest[..16] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

pub(crate) fn is_among(tag: &str, request: &HeaderMap) -> bool {
    let known = request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}

/// A response that is compressed where that is worth it and the client accepts it.
pub(crate) fn compressed(bytes: Bytes, request: &HeaderMap) -> Response<Body> {
    if bytes.len() < MIN_COMPRESSED {
        return Response::new(Body::full(bytes));
    }
    let mut response = match accepts_gzip(request).then(|| gzip(&bytes)).flatten() {
        Some(gzip) => {
            let mut response = Response::new(Body::full(gzip));
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
        None => Response::new(Body::full(bytes)),
    };
    response
        .headers_mut()
        .append(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Whether the client takes gzip: a quality of 0 says that it does not.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let accepted = request
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut by_wildcard = false;
    for coding in accepted.flat_map(|value| value.split(',')) {
        let is_wanted = media_type::quality(coding) > 0.0;
        let coding = coding.split(';').next().unwrap_or_default();
        match coding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return is_wanted,
            "*" => by_wildcard = is_wanted,
            _ => {}
        }
    }
    by_wildcard
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
        accepts_gzip(&headers)
    }

    /// gateway:142
    #[test]
    fn gzip_is_used_where_it_is_accepted() {
        for value in ["gzip", "br, gzip;q=0.5", "*", "GZIP", "*;q=0, gzip"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["br", "gzip;q=0", "gzip; q=0.0, *", "identity", ""] {
            assert!(!accepts(value), "{value}");
        }
    }
}
