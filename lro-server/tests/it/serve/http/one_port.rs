//! Requests told apart by their content types.

use exporter::pb::exporter_server::ExporterServer;
use http::{Method, Request};
use http_body_util::Full;
use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::serve::Server;
use tonic::Code;
use tonic::body::Body;
use tower::{Service as _, ServiceExt as _};

use super::{Http1, read, server};
use crate::serve::served::{Plain, Served, table, with_timeout};
use crate::serve::spans::Log;

const RPC: &str = "/exporter.v1.Exporter/GetTable";

/// gateway:144
#[tokio::test]
async fn grpc_and_http_share_a_port() {
    let operations = Operations::new(MemoryStore::new());
    let served = Served::start(server(&operations, Plain::default())).await;
    let mut http1 = Http1::connect(&served).await;
    let mut http2 = served.connect().await;
    for _ in 0..2 {
        assert_eq!(http1.get("/tables/a").await, (200, "a".to_owned()));
        let request = Request::get("http://localhost/tables/b").body(Body::empty());
        let response = http2.ready().await.unwrap().call(request.unwrap()).await;
        assert_eq!(read(response.unwrap()).await, (200, "b".to_owned()));
        let got = http2.exporter().get_table(table("c")).await.unwrap();
        assert_eq!(got.into_inner().name, "c");
    }
    let (status, text) = http1.get("/unknown").await;
    assert_eq!((status, &*text), (404, "nothing at /unknown"));
    // The peer is that of the connection, over HTTP as over gRPC.
    let (status, peer) = http1.get("/tables/peer").await;
    assert_eq!(status, 200);
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    drop((http1, http2));
    served.stop().await;
}

/// gateway:144 report:W1
#[tokio::test]
async fn the_path_of_an_rpc_takes_grpc_over_http2_only() {
    let operations = Operations::new(MemoryStore::new());
    let served = Served::start(server(&operations, Plain::default())).await;
    let mut http1 = Http1::connect(&served).await;
    let mut http2 = served.connect().await;
    let request = |method: &Method, path: &str, content_type: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", "localhost");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        request
    };
    for content_type in [
        None,
        Some("application/json"),
        Some("text/plain"),
        Some("application/grpc-web"),
        Some("application/grpc-web+proto"),
        Some("application/grpc-web-text"),
        Some("application/grpc+json"),
    ] {
        let (status, text) = read(
            http1
                .request(
                    request(&Method::POST, RPC, content_type)
                        .body(Full::default())
                        .unwrap(),
                )
                .await,
        )
        .await;
        assert_eq!(status, 415, "{content_type:?}");
        assert!(text.contains("application/grpc"), "{text}");
        let uri = format!("http://localhost{RPC}");
        let request = request(&Method::POST, &uri, content_type).body(Body::empty());
        let response = http2.ready().await.unwrap().call(request.unwrap()).await;
        assert_eq!(read(response.unwrap()).await.0, 415, "{content_type:?}");
    }
    // Everything else that is not gRPC is HTTP's.
    for path in [
        "/exporter.v1.Other/GetTable",
        "/exporter.v1.Exporter/a/b",
        "/exporter.v1.Exporter",
    ] {
        let request = request(&Method::POST, path, Some("application/grpc-web"));
        let response = http1.request(request.body(Full::default()).unwrap()).await;
        let content_type = response.headers().get("content-type").cloned();
        assert!(content_type.is_none_or(|it| !it.as_bytes().starts_with(b"application/grpc")));
        assert_eq!(read(response).await.0, 404, "{path}");
    }
    let grpc = request(&Method::POST, RPC, Some("application/grpc"));
    let response = http1.request(grpc.body(Full::default()).unwrap()).await;
    assert_eq!(
        read(response).await,
        (505, "gRPC needs HTTP/2\n".to_owned())
    );
    drop((http1, http2));
    served.stop().await;
}

#[tokio::test]
async fn without_an_http_service_the_port_is_for_grpc_only() {
    let operations = Operations::new(MemoryStore::new());
    let server = Server::builder(&operations).add_service(ExporterServer::new(Plain::default()));
    let served = Served::start(server).await;
    let mut http2 = served.connect().await;
    let request = Request::get("http://localhost/healthz").body(Body::empty());
    let response = http2.ready().await.unwrap().call(request.unwrap()).await;
    assert_eq!(read(response.unwrap()).await.0, 415);
    let mut silent = served.tcp().await;
    tokio::io::AsyncWriteExt::write_all(&mut silent, b"GET / HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(crate::serve::raw::closed(&mut silent).await, 0);
    drop(http2);
    served.stop().await;
}

/// The calls of an HTTP service meet the limits and deadlines of the server.
///
/// gateway:123
#[tokio::test]
async fn calls_without_a_socket_meet_deadlines_and_limits() {
    let operations = Operations::new(MemoryStore::new());
    let served = Served::start(server(&operations, Plain::default())).await;
    let mut http1 = Http1::connect(&served).await;
    let response = http1.send("/tables/hang", &[("grpc-timeout", "10m")]).await;
    let (status, text) = read(response).await;
    assert_eq!(status, 504, "{text}");
    let (status, text) = http1.get("/tables/large").await;
    assert_eq!(status, 500);
    assert!(text.contains("4194304"), "{text}");
    let direct = served
        .connect()
        .await
        .exporter()
        .get_table(table("large"))
        .await;
    let direct = direct.unwrap_err();
    assert_eq!(text, format!("{}: {}", direct.code(), direct.message()));
    let late = with_timeout(table("hang"), "10m");
    let late = served.connect().await.exporter().get_table(late).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    drop(http1);
    served.stop().await;
}

#[tokio::test]
async fn a_request_is_a_span_with_its_route_and_no_secret() {
    let log = Log::default();
    let _guard = log.install();
    let operations = Operations::new(MemoryStore::new());
    let served = Served::start(server(&operations, Plain::default())).await;
    let mut http1 = Http1::connect(&served).await;
    let response = http1
        .send("/tables/secret-name", &[("authorization", "secret-token")])
        .await;
    assert_eq!(read(response).await.0, 200);
    drop(http1);
    served.stop().await;
    let text = log.text();
    let closed = (text.lines())
        .find(|line| line.contains("http{") && !line.contains("rpc{") && line.contains(": close"));
    let closed = closed.unwrap_or_else(|| panic!("no span in {text}"));
    for part in [
        "http.route=\"/tables/{name}\"",
        "http.request.method=\"GET\"",
        "http.response.status_code=200",
    ] {
        assert!(closed.contains(part), "{part} in {closed}");
    }
    // The call is within it.
    assert!(
        text.lines()
            .any(|line| line.contains("http{") && line.contains("rpc{")),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}
