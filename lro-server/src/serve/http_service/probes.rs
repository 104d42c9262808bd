//! `/healthz` and `/readyz`: for probes that speak HTTP only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method, Response, StatusCode};
use tonic::body::Body;

use crate::serve::plain_text;

/// Whether the server is ready, as its gRPC health says of all services.
#[derive(Clone, Debug, Default)]
pub(in crate::serve) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub(in crate::serve) fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// The answer to a probe, if the path is one's.
    pub(super) fn probe(&self, method: &Method, path: &str) -> Option<Response<Body>> {
        let is_ready = match path {
            "/healthz" => true,
            "/readyz" => self.0.load(Ordering::Acquire),
            _ => return None,
        };
        let mut response = match *method {
            Method::GET | Method::HEAD if is_ready => plain_text(StatusCode::OK, "ok\n"),
            Method::GET | Method::HEAD => {
                plain_text(StatusCode::SERVICE_UNAVAILABLE, "not serving\n")
            }
            _ => {
                let mut response = plain_text(StatusCode::METHOD_NOT_ALLOWED, "a probe is a GET\n");
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        };
        if *method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(CACHE_CONTROL, no_store);
        Some(response)
    }
}
