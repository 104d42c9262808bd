//! Errors as HTTP responses.

use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use lro_core::{Reason, code_name, http_status};
use lro_json::WriteOptions;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::body::Body;
use crate::headers;

/// An error of the gateway or of an rpc.
#[derive(Debug)]
pub(crate) struct Fault {
    http: StatusCode,
    status: Box<Status>,
    allow: Option<String>,
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self {
            http: http_status(status.code()),
            status: Box::new(status),
            allow: None,
        }
    }
}

/// The longest name of a field in a message, in bytes.
const MAX_FIELD: usize = 256;

/// The longest reason in a message, in bytes. With the name, a message quotes less than 1 KiB.
const MAX_REASON: usize = 700;

/// A text of the client's, or with such a text in it: cut off, and control characters escaped.
fn quoted(text: &str, max: usize) -> String {
    let mut quoted = String::new();
    for c in text.chars() {
        let escaped = c.is_control().then(|| c.escape_default().to_string());
        let part = escaped.unwrap_or_else(|| c.to_string());
        if quoted.len() + part.len() > max {
            quoted.push('…');
            break;
        }
        quoted.push_str(&part);
    }
    quoted
}

impl Fault {
    fn new(http: StatusCode, status: Status) -> Self {
        Self {
            http,
            status: Box::new(status),
            allow: None,
        }
    }

    /// 400 that names the field, the parameter or the header at fault.
    pub(crate) fn field(field: &str, reason: impl Into<String>) -> Self {
        let field = quoted(field, MAX_FIELD);
        let reason = quoted(&reason.into(), MAX_REASON);
        Reason::InvalidField.field_status(&field, reason).into()
    }

    /// 400 for a request that is malformed as a whole.
    pub(crate) fn malformed(reason: &str) -> Self {
        Reason::InvalidField.status(reason, []).into()
    }

    /// 404 for a path without a binding.
    pub(crate) fn unknown_path() -> Self {
        let message = "no method is bound to this path; segments are matched byte for byte";
        Self::new(StatusCode::NOT_FOUND, with_code(Code::NotFound, message))
    }

    /// 405 for a path with other methods.
    pub(crate) fn other_methods(allow: String) -> Self {
        let message = format!("this path has no such method; it has {allow}");
        Self {
            allow: Some(allow),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Reason::Unimplemented.status(message, []),
            )
        }
    }

    /// 413.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes, the limit of this server");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Reason::InvalidField.field_status("body", message),
        )
    }

    /// 408 for a body that came too slowly.
    pub(crate) fn slow_body() -> Self {
        let message = "the body of the request did not arrive in time";
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            Reason::DeadlineExceeded.status(message, []),
        )
    }

    /// 415.
    pub(crate) fn unsupported(header: &str, reason: impl Into<String>) -> Self {
        let status = Reason::InvalidField.field_status(header, reason);
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, status)
    }

    /// 403 for a request that a page of another site has made.
    pub(crate) fn cross_site() -> Self {
        let message = "requests from pages of other sites may only read; allow the origin in the server's settings";
        Reason::PermissionDenied.status(message, []).into()
    }

    /// 429 for a watch beyond the limit of the server.
    pub(crate) fn too_many_watches() -> Self {
        let message =
            "the server has as many watches as it allows; try again later, or poll the operation";
        Reason::LimitExceeded.status(message, []).into()
    }

    /// 504.
    pub(crate) fn deadline() -> Self {
        Reason::DeadlineExceeded
            .status("the deadline of the call is over", [])
            .into()
    }

    /// The gRPC code.
    pub(crate) fn code(&self) -> Code {
        self.status.code()
    }

    /// The metadata of the rpc's error, as trailers.
    pub(crate) fn trailers(&self) -> http::HeaderMap {
        headers::to_trailers(self.status.metadata().clone())
    }

    /// The response, with the error as `{"error": ..}`.
    pub(crate) fn into_response(self, types: &DescriptorPool) -> http::Response<Body> {
        let retry = (self.status.get_details_retry_info()).and_then(|info| info.retry_delay);
        let mut response = http::Response::new(Body::full(self.json(types)));
        *response.status_mut() = self.http;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        if let Some(allow) = self.allow.and_then(|allow| allow.parse().ok()) {
            headers.insert(ALLOW, allow);
        }
        if self.http == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let may_retry = matches!(
            self.http,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        if let Some(delay) = retry.filter(|_| may_retry) {
            headers.insert(RETRY_AFTER, seconds(delay).into());
        }
        response
    }

    /// The error as JSON.
    pub(crate) fn json(&self, types: &DescriptorPool) -> String {
        let details = tonic_types::pb::Status::decode(self.status.details()).unwrap_or_default();
        // The message in the details is the original one, where there is one: the other is a header.
        let message = if details.message.is_empty() {
            self.status.message()
        } else {
            &details.message
        };
        let mut json = format!(
            r#"{{"error":{{"code":{},"message":{},"status":"{}""#,
            self.http.as_u16(),
            text(message),
            code_name(self.status.code())
        );
        let details: Vec<String> = details
            .details
            .iter()
            .filter_map(|any| detail(any, types))
            .collect();
        if !details.is_empty() {
            json.push_str(r#","details":["#);
            json.push_str(&details.join(","));
            json.push(']');
        }
        json.push_str("}}");
        json
    }
}

fn with_code(code: Code, message: &str) -> Status {
    Status::with_error_details(
        code,
        message,
        tonic_types::ErrorDetails::with_error_info("PATH_NOT_FOUND", lro_core::DOMAIN, []),
    )
}

/// Whole seconds, rounded up.
pub(crate) fn seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
}

/// A detail with the fields of its type, or as base64.
fn detail(any: &Any, types: &DescriptorPool) -> Option<String> {
    let descriptor = types.get_message_by_name("google.protobuf.Any")?;
    let message = DynamicMessage::decode(descriptor, &*any.encode_to_vec()).ok()?;
    let written = WriteOptions::new()
        .types(types.clone())
        .write(&message)
        .ok()?;
    Some(written.json)
}

/// A JSON string.
pub(crate) fn text(text: &str) -> String {
    let pool = DescriptorPool::global();
    let wrapper = pool.get_message_by_name("google.protobuf.StringValue");
    let written = wrapper.and_then(|wrapper| {
        let mut message = DynamicMessage::new(wrapper);
        message.set_field_by_number(1, Value::String(text.to_owned()));
        WriteOptions::new().write(&message).ok()
    });
    written.map_or_else(|| "\"\"".to_owned(), |written| written.json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> DescriptorPool {
        crate::types::pool(&[]).unwrap()
    }

    /// spec:144 spec:152 gateway:108 gateway:113
    #[test]
    fn an_error_of_the_gateway_names_the_field() {
        let fault = Fault::field("pageSize", "expected a 32-bit integer, found \"x\"");
        assert_eq!(
            fault.json(&types()),
            concat!(
                r#"{"error":{"code":400,"message":"pageSize: expected a 32-bit integer, found \"x\"","status":"INVALID_ARGUMENT","#,
                r#""details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INVALID_FIELD","domain":"longrunning.lro.rs","#,
                r#""metadata":{"field":"pageSize"}},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":"#,
                r#"[{"field":"pageSize","description":"expected a 32-bit integer, found \"x\""}]}]}}"#
            )
        );
    }

    /// gateway:111 gateway:112
    #[test]
    fn retry_info_is_retry_after_too() {
        let details =
            tonic_types::ErrorDetails::with_retry_info(Some(Duration::from_millis(1_200)));
        let status = Status::with_error_details(Code::Unavailable, "soon", details);
        let response = Fault::from(status).into_response(&types());
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let response = Fault::from(Status::unauthenticated("no token")).into_response(&types());
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }
}
