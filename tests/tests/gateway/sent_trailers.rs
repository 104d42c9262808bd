//! Trailing metadata of a response.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper_util::rt::TokioIo;
use lro_gateway::Gateway;
use tokio::net::TcpStream;
use tonic::body::Body;

use crate::server;

/// An empty message, with metadata before and behind it.
fn answer() -> Response<Body> {
    let mut trailers = HeaderMap::new();
    for (name, value) in [("grpc-status", "0"), ("x-cost", "7"), ("set-cookie", "a=b")] {
        trailers.insert(name, HeaderValue::from_static(value));
    }
    let frames = [
        Frame::data(Bytes::from_static(&[0; 5])),
        Frame::trailers(trailers),
    ];
    let frames = futures_util::stream::iter(frames.map(Ok::<_, Infallible>));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("x-first", HeaderValue::from_static("1"));
    response
}

/// gateway:122
#[tokio::test]
async fn trailing_metadata_is_for_clients_that_take_trailers() {
    let services = tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(answer()) });
    let gateway = Gateway::builder(services).build().unwrap();
    let routes = tonic::service::Routes::default().prepare();
    let address = server::serve(gateway, routes).await.unwrap();
    for (te, expected) in [
        (None, None),
        (Some("gzip"), None),
        (Some("trailers"), Some("7")),
        (Some("gzip;q=0.5, Trailers"), Some("7")),
    ] {
        let socket = TcpStream::connect(address).await.unwrap();
        let io = TokioIo::new(socket);
        let (mut client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::get("/v1/operations/7").header("host", "localhost");
        if let Some(te) = te {
            request = request.header("te", te);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let (head, body) = client.send_request(request).await.unwrap().into_parts();
        assert_eq!(head.headers["x-first"], "1");
        assert!(!head.headers.contains_key("x-cost"));
        assert_eq!(
            head.headers.contains_key("trailer"),
            expected.is_some(),
            "{te:?}"
        );
        let body = body.collect().await.unwrap();
        let trailer = |name: &str| body.trailers().and_then(|it| it.get(name).cloned());
        assert_eq!(
            trailer("x-cost").as_ref().map(|it| it.to_str().unwrap()),
            expected,
            "{te:?}"
        );
        assert_eq!(trailer("set-cookie"), None);
        assert_eq!(trailer("grpc-status"), None);
        assert_eq!(body.to_bytes(), "{}");
    }
}
