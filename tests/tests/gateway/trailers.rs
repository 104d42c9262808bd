//! Metadata of a response, before and behind its message.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use lro_gateway::Gateway;
use tonic::body::Body;
use tower::ServiceExt as _;

/// A service that answers with one empty message, and with this status behind it.
fn answer(status: &'static str) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    trailers.insert("x-behind", "2".parse().unwrap());
    let frames = [
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0; 5]))),
        Ok(Frame::trailers(trailers)),
    ];
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
    Response::builder()
        .header("content-type", "application/grpc")
        .header("x-before", "1")
        .body(Body::new(body))
        .unwrap()
}

async fn get(status: &'static str) -> Response<lro_gateway::Body> {
    let service =
        tower::service_fn(
            move |_: Request<Body>| async move { Ok::<_, Infallible>(answer(status)) },
        );
    let gateway = Gateway::builder(service)
        .file_descriptor_set(lro_core::pb::FILE_DESCRIPTOR_SET)
        .build()
        .unwrap();
    let request = Request::get("/v1/operations/7").body(Body::empty());
    gateway.oneshot(request.unwrap()).await.unwrap()
}

/// gateway:122
#[tokio::test]
async fn trailing_metadata_is_no_header() {
    let response = get("0").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-before"], "1");
    assert!(!response.headers().contains_key("x-behind"));
}

/// gateway:109
#[tokio::test]
async fn an_error_behind_the_message_is_the_answer() {
    assert_eq!(get("5").await.status(), 404);
}
