//! `/healthz` and `/readyz`: for probes that speak HTTP only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method, Response, StatusCode};
use tonic::body::Body;

use crate::engine::Engine;
use crate::serve::plain_text;

/// The answer of a server that starts operations which no worker runs.
const NO_WORKER: &str = "ok, but no worker runs operations\n";

/// Whether the server is ready, as its gRPC health says of all services.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Readiness(Arc<State>);

#[derive(Debug)]
struct State {
    is_ready: AtomicBool,
    engine: Arc<Engine>,
}

impl Readiness {
    /// Not ready yet.
    pub(in crate::serve) fn new(engine: &Arc<Engine>) -> Self {
        Self(Arc::new(State {
            is_ready: AtomicBool::new(false),
            engine: engine.clone(),
        }))
    }

    pub(in crate::serve) fn set(&self, ready: bool) {
        self.0.is_ready.store(ready, Ordering::Release);
    }

    /// The answer to a probe, if the path is one's.
    pub(super) fn probe(&self, method: &Method, path: &str) -> Option<Response<Body>> {
        let is_ready = match path {
            "/healthz" => true,
            "/readyz" => self.0.is_ready.load(Ordering::Acquire),
            _ => return None,
        };
        let text = match path {
            "/readyz" if self.0.engine.is_without_worker() => NO_WORKER,
            _ => "ok\n",
        };
        let mut response = match *method {
            Method::GET | Method::HEAD if is_ready => plain_text(StatusCode::OK, text),
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
