//! Trailing metadata of a response, of an error and of a stream.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lro_gateway::{Gateway, HttpRule};
use tokio::net::TcpStream;
use tonic::body::Body;

use crate::server;

/// Empty messages, with metadata before and behind them.
fn answer(messages: usize, status: &'static str) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    for (name, value) in [
        ("grpc-status", status),
        ("x-cost", "7"),
        ("set-cookie", "a=b"),
    ] {
        trailers.insert(name, HeaderValue::from_static(value));
    }
    let message = |_| Frame::data(Bytes::from_static(&[0; 5]));
    let mut frames: Vec<_> = (0..messages).map(message).collect();
    frames.push(Frame::trailers(trailers));
    let frames = futures_util::stream::iter(frames.into_iter().map(Ok::<_, Infallible>));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("x-first", HeaderValue::from_static("1"));
    response
}

/// gateway:122
#[tokio::test]
async fn trailing_metadata_is_for_clients_that_take_trailers() {
    let services =
        tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(answer(1, "0")) });
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

/// A gateway whose stream `GET /v1/books` has this number of messages and this status.
async fn serve_stream(messages: usize, status: &'static str) -> SocketAddr {
    let services = tower::service_fn(move |_: Request<Body>| async move {
        Ok::<_, Infallible>(answer(messages, status))
    });
    let rule = HttpRule::new("GET", "/v1/books");
    let gateway = Gateway::builder(services)
        .file_descriptor_set(lro_tests::library::FILE_DESCRIPTOR_SET)
        .rule("library.v1.Library/ListShelves", rule)
        .build()
        .unwrap();
    let routes = tonic::service::Routes::default().prepare();
    server::serve(gateway, routes).await.unwrap()
}

/// HTTP/2 needs no names of trailers beforehand, which a stream does not know.
///
/// gateway:122 gateway:130
#[tokio::test]
async fn a_stream_ends_with_its_trailing_metadata() {
    let lines = "application/x-ndjson";
    for (messages, status, accept, te, text, expected) in [
        (2, "0", "application/json", "trailers", "[{},{}]", true),
        (2, "0", "application/json", "", "[{},{}]", false),
        (0, "0", "application/json", "trailers", "[]", true),
        (2, "0", lines, "trailers", "{}\n{}\n", true),
        (1, "10", lines, "trailers", "{}\n{\"error\":", true),
        (0, "10", lines, "trailers", "{\"error\":", true),
        (0, "10", lines, "", "{\"error\":", false),
    ] {
        let address = serve_stream(messages, status).await;
        let socket = TcpStream::connect(address).await.unwrap();
        let handshake =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
        let (mut client, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let mut request =
            Request::get(format!("http://{address}/v1/books")).header("accept", accept);
        if !te.is_empty() {
            request = request.header("te", te);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let (head, body) = client.send_request(request).await.unwrap().into_parts();
        let what = format!("{messages} {status} {accept} {te}");
        let plain_error = messages == 0 && status == "10";
        assert_eq!(head.status, if plain_error { 409 } else { 200 }, "{what}");
        let body = body.collect().await.unwrap();
        let trailer = |name: &str| body.trailers().and_then(|it| it.get(name)).is_some();
        assert_eq!(trailer("x-cost"), expected, "{what}");
        assert!(!trailer("set-cookie") && !trailer("grpc-status"), "{what}");
        let sent = body.to_bytes();
        assert!(sent.starts_with(text.as_bytes()), "{what}: {sent:?}");
    }
}
