//! Only gRPC requests reach an rpc.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use exporter::pb::exporter_server::ExporterServer;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use lro_core::OperationName;
use lro_core::pb::DeleteOperationRequest;
use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
use lro_server::serve::{GrpcOnlyLayer, Server};
use prost::Message as _;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::TcpIncoming;
use tower::{Service as _, ServiceExt as _};

use crate::serve::served::{Direct, Plain, Served};
use crate::support::{Exporter, exported, name};

/// Allows everything, and counts how often it is asked anything.
#[derive(Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl Counting {
    fn asked(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

#[tonic::async_trait]
impl Authorizer for Counting {
    async fn authenticate(&self, _: &Caller<'_>) -> Result<Principal, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Principal::default())
    }

    async fn authorize(&self, _: &Call<'_>) -> Result<Access, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Access::Allowed)
    }
}

/// The path and the framed message of a deletion.
fn deletion(name: &OperationName) -> (&'static str, Bytes) {
    let name = name.to_string();
    let message = DeleteOperationRequest { name }.encode_to_vec();
    let mut frame = vec![0];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message);
    let path = "http://localhost/google.longrunning.Operations/DeleteOperation";
    (path, frame.into())
}

/// Sends the deletion with these headers, and answers the HTTP status and the gRPC status.
async fn send(
    direct: &mut Direct,
    name: &OperationName,
    method: &Method,
    headers: &[(&str, &str)],
) -> (StatusCode, Option<String>) {
    let (path, frame) = deletion(name);
    let mut request = Request::builder().method(method).uri(path);
    for (key, value) in headers {
        request = request.header(*key, *value);
    }
    let request = request.body(Body::new(Full::new(frame))).unwrap();
    let response = direct.ready().await.unwrap().call(request).await.unwrap();
    let status = response.status();
    for (name, _) in response.headers() {
        assert!(!name.as_str().starts_with("access-control-"), "{name}");
    }
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
    let in_headers = response.headers().get("grpc-status").cloned();
    let body = response.into_body().collect().await.unwrap();
    let in_trailers = body
        .trailers()
        .and_then(|it| it.get("grpc-status").cloned());
    let grpc = in_headers.or(in_trailers);
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        assert!(text.contains("application/grpc"), "{text}");
    }
    (status, grpc.map(|it| it.to_str().unwrap().to_owned()))
}

/// Sends the deletion of an operation in every way that is not gRPC, and then in each that is.
async fn check(direct: &mut Direct, operations: &Operations, authorizer: &Counting) {
    const PAGE: (&str, &str) = ("origin", "https://evil.example");
    let exporter = Exporter::new(operations, async |_, _| Ok(exported(1)));
    let started = exporter.call(&["a"]).await.unwrap();
    let victim = name(&started);
    let asked = authorizer.asked();
    let refused: [&[(&str, &str)]; 15] = [
        &[],
        &[PAGE],
        &[("content-type", "text/plain")],
        &[("content-type", "text/plain"), PAGE],
        &[("content-type", "text/plain;charset=application/grpc")],
        &[("content-type", "application/json")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "multipart/form-data; boundary=x")],
        &[("content-type", "application/grpcx")],
        &[("content-type", "application/grpc+json")],
        &[("content-type", "application/grpc-web")],
        &[("content-type", "Application/gRPC-Web+Proto")],
        &[("content-type", "application/grpc, text/plain")],
        &[
            ("content-type", "text/plain"),
            ("content-type", "application/grpc"),
        ],
        &[("content-type", "")],
    ];
    for headers in refused {
        let (status, grpc) = send(direct, &victim, &Method::POST, headers).await;
        assert_eq!((status.as_u16(), grpc), (415, None), "{headers:?}");
    }
    for method in [Method::GET, Method::OPTIONS, Method::PUT, Method::DELETE] {
        let headers: [&[(&str, &str)]; 2] = [&[("content-type", "application/grpc")], &[PAGE]];
        for headers in headers {
            let (status, grpc) = send(direct, &victim, &method, headers).await;
            assert_eq!((status.as_u16(), grpc), (415, None), "{method} {headers:?}");
        }
    }
    assert_eq!(authorizer.asked(), asked);
    operations.get(&victim).await.unwrap();

    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "APPLICATION/GRPC",
        "application/grpc; charset=utf-8",
        "Application/Grpc+Proto ;q=1",
    ] {
        let started = exporter.call(&["a"]).await.unwrap();
        let headers = [("content-type", content_type), ("te", "trailers")];
        let (status, grpc) = send(direct, &name(&started), &Method::POST, &headers).await;
        assert_eq!((status.as_u16(), grpc.as_deref()), (200, Some("0")));
        operations.get(&name(&started)).await.unwrap_err();
    }
}

fn operations() -> (Operations, Counting) {
    let authorizer = Counting::default();
    let builder = Operations::builder(MemoryStore::new()).authorizer(authorizer.clone());
    (builder.build(), authorizer)
}

/// report:W1
#[tokio::test]
async fn only_grpc_requests_reach_an_rpc() {
    let (operations, authorizer) = operations();
    let server = Server::builder(&operations).add_service(ExporterServer::new(Plain::default()));
    let served = Served::start(server).await;
    let mut direct = served.connect().await;
    check(&mut direct, &operations, &authorizer).await;
    drop(direct);
    served.stop().await;
}

/// report:W1
#[cfg(feature = "tls")]
#[tokio::test]
async fn only_grpc_requests_reach_an_rpc_over_tls() {
    use crate::serve::tls::{authority, handshake, identity, tls};

    let (operations, authorizer) = operations();
    let authority = authority();
    let server = Server::builder(&operations).tls(tls(&identity(&authority, "server")));
    let served = Served::start(server).await;
    let stream = handshake(&served, &authority, None).await.unwrap();
    let mut direct = Direct::over(stream).await.unwrap();
    check(&mut direct, &operations, &authorizer).await;
    drop(direct);
    served.stop().await;
}

/// report:W1
#[tokio::test]
async fn the_layer_guards_a_plain_tonic_server() {
    let (operations, authorizer) = operations();
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = incoming.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = tonic::transport::Server::builder()
        .layer(GrpcOnlyLayer::new())
        .add_service(operations.service());
    let serving = tokio::spawn(router.serve_with_incoming_shutdown(incoming, async {
        stopped.await.ok();
    }));
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut direct = Direct::over(tcp).await.unwrap();
    check(&mut direct, &operations, &authorizer).await;
    drop(direct);
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}
