//! Requests that pages of other sites make through a visitor's browser.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, Uri};

use crate::body::Body;
use crate::fault::Fault;

/// Headers that a page of an allowed origin may send, besides those that begin with `x-goog-`.
const ALLOWED_HEADERS: &[&str] = &[
    "authorization",
    "content-type",
    "grpc-timeout",
    "x-server-timeout",
    "if-none-match",
    "last-event-id",
];

/// The origins that are allowed (CORS); none by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrossSite {
    origins: Vec<String>,
}

impl CrossSite {
    pub(crate) fn allow(&mut self, origin: String) {
        self.origins.push(origin);
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins
            .iter()
            .any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }

    /// Refuses a request that changes something and that a page of another site has made.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Fault> {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let origin = headers.get(ORIGIN);
        if origin.is_some_and(|origin| self.allows(origin)) {
            return Ok(());
        }
        let is_own_site = match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => true,
            Some(_) => false,
        };
        let is_own_host = match origin {
            None => true,
            Some(origin) => is_own_host(origin, uri, headers),
        };
        if is_own_site && is_own_host {
            Ok(())
        } else {
            Err(Fault::cross_site())
        }
    }

    /// Answers a preflight, if this is one and any origin is allowed. It reaches neither rpc nor authorizer.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
        let origin = headers.get(ORIGIN)?;
        let wanted = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        if method != Method::OPTIONS || self.origins.is_empty() {
            return None;
        }
        let mut response = Response::new(Body::empty());
        let answer = response.headers_mut();
        answer.insert(VARY, HeaderValue::from_static("origin"));
        if self.allows(origin) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, wanted.clone());
            answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
            let headers = headers
                .get(ACCESS_CONTROL_REQUEST_HEADERS)
                .and_then(|value| value.to_str().ok());
            let allowed: Vec<&str> = headers
                .into_iter()
                .flat_map(|names| names.split(','))
                .map(str::trim)
                .filter(|name| {
                    let name = name.to_ascii_lowercase();
                    ALLOWED_HEADERS.contains(&&*name) || name.starts_with("x-goog-")
                })
                .collect();
            if let Ok(allowed) = allowed.join(", ").parse() {
                answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            }
        }
        Some(response)
    }

    /// Lets the page of an allowed origin read the answer.
    pub(crate) fn expose(&self, request: Option<&HeaderValue>, response: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        response.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = request.filter(|origin| self.allows(origin)) {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            response.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("retry-after, etag"),
            );
        }
    }
}

/// Whether the origin is the host that the request is for.
fn is_own_host(origin: &HeaderValue, uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(authority) = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
        .map(|(_, rest)| rest)
    else {
        return false;
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &Method, pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("api.example:8080"));
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        let mut cross_site = CrossSite::default();
        cross_site.allow("https://ui.example".into());
        cross_site
            .check(method, &Uri::from_static("/v1/x"), &headers)
            .is_err()
    }

    #[test]
    fn pages_of_other_sites_may_only_read() {
        assert!(!refused(&Method::POST, &[]));
        assert!(!refused(
            &Method::POST,
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "http://api.example:8080")
            ]
        ));
        assert!(!refused(&Method::POST, &[("sec-fetch-site", "none")]));
        assert!(!refused(
            &Method::POST,
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://ui.example")
            ]
        ));
        assert!(!refused(
            &Method::GET,
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://evil.example")
            ]
        ));
        assert!(refused(&Method::POST, &[("sec-fetch-site", "cross-site")]));
        assert!(refused(&Method::POST, &[("sec-fetch-site", "same-site")]));
        assert!(refused(
            &Method::DELETE,
            &[("origin", "https://evil.example")]
        ));
        assert!(refused(&Method::PATCH, &[("origin", "http://api.example")]));
        assert!(refused(&Method::PATCH, &[("origin", "null")]));
    }
}
