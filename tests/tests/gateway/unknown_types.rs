//! Payloads whose types the gateway does not know.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use lro_core::{UnknownTypes, pb};
use lro_gateway::Gateway;
use prost_reflect::prost::Message as _;
use tonic::body::Body;
use tower::ServiceExt as _;

/// A list of operations with these types of metadata, without a value.
fn list(types: &[&str]) -> Response<Body> {
    let operation = |type_url: &&str| pb::Operation {
        metadata: Some(prost_types::Any {
            type_url: (*type_url).to_owned(),
            value: Vec::new(),
        }),
        ..Default::default()
    };
    let list = pb::ListOperationsResponse {
        operations: types.iter().map(operation).collect(),
        ..Default::default()
    };
    let mut message = vec![0];
    message.extend((list.encoded_len() as u32).to_be_bytes());
    message.extend(list.encode_to_vec());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [Frame::data(Bytes::from(message)), Frame::trailers(trailers)];
    let frames = futures_util::stream::iter(frames.map(Ok::<_, Infallible>));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    response
}

/// gateway:99
#[tokio::test]
async fn values_of_unknown_types_are_counted_by_route() {
    let types = [
        "x/none",
        "type.googleapis.com/google.rpc.ErrorInfo",
        "none",
        "",
    ];
    let services =
        tower::service_fn(move |_: Request<Body>| async move { Ok::<_, Infallible>(list(&types)) });
    let gateway = Gateway::builder(services).build().unwrap();
    let counted = Arc::new(Mutex::new(Vec::new()));
    let counts = counted.clone();
    let mut request = Request::get("/v1/operations").body(Body::empty()).unwrap();
    let unknown = UnknownTypes::new(move |route, count| {
        let counted = (route.as_str().to_owned(), count);
        counts.lock().unwrap().push(counted);
    });
    request.extensions_mut().insert(unknown);
    let response = gateway.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["operations"].as_array().unwrap().len(), 4);
    let counted = counted.lock().unwrap();
    // An empty Any is `{}`, which is no unknown type.
    assert_eq!(*counted, [("/v1/{name=operations}".to_owned(), 2)]);
}
