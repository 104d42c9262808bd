//! Responses: their headers, which are the same for all pages, and their compression.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, LOCATION, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use maud::Markup;
use tonic::body::Body;

/// From where a page may load what. Nothing is inline, nothing comes from elsewhere, and no script
/// makes markup of a text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (http::header::CONTENT_SECURITY_POLICY, POLICY),
    (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (http::header::X_FRAME_OPTIONS, "DENY"),
    (http::header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// Bodies that are smaller are not compressed.
const COMPRESSED_FROM: usize = 1_024;

/// Adds the headers that every answer has.
pub(crate) fn secure(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(CACHE_CONTROL).or_insert(no_store);
    response
}

/// A page.
pub(crate) fn page(status: StatusCode, markup: Markup, request: &HeaderMap) -> Response<Body> {
    let html = markup.into_string().into_bytes();
    let mut response = whole("text/html; charset=utf-8", html.into(), request);
    *response.status_mut() = status;
    response
}

/// A document of some type, compressed if the client takes that.
pub(crate) fn whole(media_type: &'static str, body: Bytes, request: &HeaderMap) -> Response<Body> {
    let compressed = body.len() >= COMPRESSED_FROM && accepts_gzip(request);
    let packed = compressed.then(|| gzip(&body, Compression::fast()));
    response(media_type, body, packed.map(Bytes::from))
}

/// A response with a body, or with that body compressed.
pub(crate) fn response(
    media_type: &'static str,
    plain: Bytes,
    packed: Option<Bytes>,
) -> Response<Body> {
    let is_packed = packed.is_some();
    let body = http_body_util::Full::new(packed.unwrap_or(plain));
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A redirection to another page after a POST.
pub(crate) fn see_other(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    // Links are percent-encoded, so this always is a header's value.
    let to = HeaderValue::from_str(to).unwrap_or_else(|_| HeaderValue::from_static("./"));
    response.headers_mut().insert(LOCATION, to);
    response
}

pub(crate) fn accepts_gzip(request: &HeaderMap) -> bool {
    let accepted = request.get_all(ACCEPT_ENCODING).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && weight.trim() != "q=0"
    })
}

pub(crate) fn gzip(body: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), level);
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (value, accepts) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("GZIP", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepts_gzip(&headers), accepts, "{value}");
        }
    }
}
