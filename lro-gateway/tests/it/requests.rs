//! One property of all requests: the gateway answers each, and one that it refuses reaches no rpc.
//!
//! The fuzz target `gateway` holds it, too.

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::{Body as _, Frame};
use http_body_util::{Full, StreamBody};
use lro_gateway::{Gateway, HttpRule};
use tonic::body::Body;
use tower::ServiceExt as _;

/// Lines of a template, a method, a target and a body.
pub(crate) fn ask(input: &[u8]) {
    let mut lines = input.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (template, method, target, body) = (line(), line(), line(), line());
    if let Ok(template) = str::from_utf8(template) {
        check_template(template);
    }
    let Ok(method) = Method::from_bytes(method) else {
        return;
    };
    let Ok(target) = Uri::try_from(target) else {
        return;
    };
    let (gateway, calls) = gateway();
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
    *request.method_mut() = method;
    *request.uri_mut() = target;
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert("content-type", json);
    let before = calls.load(Ordering::SeqCst);
    let response = now(gateway.clone().oneshot(request));
    let Ok(response) = response;
    let reached = calls.load(Ordering::SeqCst) - before;
    let status = response.status();
    assert!(!status.is_server_error(), "{status}");
    if status.is_client_error() {
        assert_eq!(reached, 0, "{status} after a call");
    }
    // A watch has no end here, and its first part is enough.
    let mut body = Box::pin(response.into_body());
    let _ = body
        .as_mut()
        .poll_frame(&mut Context::from_waker(Waker::noop()));
}

/// A template is refused, or serves.
fn check_template(template: &str) {
    let routes = tonic::service::Routes::default();
    let rule = HttpRule::new("GET", template);
    let built = Gateway::builder(routes)
        .rule("google.longrunning.Operations/GetOperation", rule)
        .build();
    if let Err(error) = built {
        assert!(!error.to_string().is_empty());
    }
}

/// A gateway whose rpcs answer an empty message, and the number of their calls.
fn gateway() -> &'static (Gateway, Arc<AtomicUsize>) {
    static GATEWAY: OnceLock<(Gateway, Arc<AtomicUsize>)> = OnceLock::new();
    GATEWAY.get_or_init(|| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let services = tower::service_fn(move |_: Request<Body>| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, Infallible>(empty()))
        });
        let gateway = Gateway::builder(services).build();
        (gateway.expect("the default bindings are served"), calls)
    })
}

/// The response of an rpc with an empty message.
fn empty() -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [
        Frame::data(Bytes::from_static(&[0; 5])),
        Frame::trailers(trailers),
    ];
    let frames = futures_util::stream::iter(frames.map(Ok::<_, Infallible>));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

/// The output of a future that waits for nothing but the runtime's own turns.
fn now<F: Future>(future: F) -> F::Output {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("a runtime is built")
    });
    let _entered = runtime.enter();
    let mut future = Box::pin(future);
    loop {
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(output) = polled {
            return output;
        }
    }
}
