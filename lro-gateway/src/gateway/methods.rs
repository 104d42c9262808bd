//! The methods of a path.

use std::collections::BTreeSet;

use http::header::ALLOW;
use http::{Response, StatusCode};

use crate::body::Body;
use crate::router::EVERY_METHOD;

/// The methods of a path for the header `Allow`. HEAD is among them where GET has an end.
pub(super) fn allow(mut allow: BTreeSet<&str>, is_stream: bool) -> String {
    if allow.remove(EVERY_METHOD) {
        allow.extend(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
    }
    if allow.contains("GET") && !is_stream {
        allow.insert("HEAD");
    }
    allow.insert("OPTIONS");
    allow.into_iter().collect::<Vec<_>>().join(", ")
}

/// The answer to OPTIONS.
pub(super) fn options(allow: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = allow.parse() {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}
