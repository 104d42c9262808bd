//! Why operations are cancelled or deleted: a header that our server keeps, and others ignore.

use http::HeaderValue;
use lro_client::{OperationsClient, OperationsRpc};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tonic::body::Body;
use tower::ServiceExt as _;

use crate::context::Context;
use crate::failure::Failure;

/// The longest reason, in bytes.
const MAX_LEN: usize = 256;
/// The ASCII characters that are encoded, as all others are.
const ENCODED: AsciiSet = CONTROLS.add(b'%');

/// The client of the calls, with the reason as a header.
pub(super) fn client(context: &Context, reason: Option<&str>) -> Result<OperationsClient, Failure> {
    let Some(reason) = reason else {
        return Ok(context.operations.clone());
    };
    let value = encode(reason)?;
    let service = context.connection.service.clone();
    let service = tower::service_fn(move |mut request: http::Request<Body>| {
        request.headers_mut().insert("lro-reason", value.clone());
        service.clone().oneshot(request)
    });
    let calls = *context.operations.call_settings(OperationsRpc::Cancel);
    Ok(OperationsClient::new(service)
        .with_library("lro", env!("CARGO_PKG_VERSION"))
        .with_call_settings(calls))
}

/// The reason as the server reads it: percent-encoded where it is not visible ASCII.
fn encode(reason: &str) -> Result<HeaderValue, Failure> {
    let refused = |advice: String| Failure::usage("this is no --reason").advise(advice);
    if reason.len() > MAX_LEN {
        let len = reason.len();
        return Err(refused(format!(
            "it has {len} bytes; write at most {MAX_LEN}"
        )));
    }
    if reason.chars().any(char::is_control) {
        return Err(refused("write one line of text".to_owned()));
    }
    let encoded = utf8_percent_encode(reason, &ENCODED).to_string();
    HeaderValue::try_from(encoded).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_reason_is_visible_ascii_on_the_wire() {
        for (reason, value) in [
            ("wrong bucket", "wrong bucket"),
            ("100 %", "100 %25"),
            ("na\u{ef}ve", "na%C3%AFve"),
        ] {
            assert_eq!(encode(reason).unwrap(), value);
        }
        for wrong in ["a\nb", "\u{1b}[2J", &"x".repeat(257), &"\u{e9}".repeat(129)] {
            assert_eq!(encode(wrong).unwrap_err().exit(), Exit::Usage);
        }
    }
}
