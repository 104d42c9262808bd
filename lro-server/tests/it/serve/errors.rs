//! The errors that a server makes before a handler runs.

use bytes::Bytes;
use exporter::pb;
use exporter::pb::exporter_server::ExporterServer;
use http::Request;
use http_body_util::Full;
use lro_core::DOMAIN;
use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::serve::Server;
use tonic::body::Body;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::{Service as _, ServiceExt as _};

use crate::serve::served::{Direct, Plain, Served};

/// Calls the path with these bytes for a body, and answers the status.
async fn call(direct: &mut Direct, path: &str, body: &'static [u8]) -> Status {
    let request = Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Full::new(Bytes::from_static(body))))
        .unwrap();
    let response = direct.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    Status::from_header_map(response.headers()).expect("a status instead of a message")
}

#[track_caller]
fn check(status: &Status, code: Code, reason: &str, message: &str) {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((&*info.reason, &*info.domain), (reason, DOMAIN));
    assert!(status.message().contains(message), "{}", status.message());
}

/// A message whose first field has a wire type that does not exist.
const GARBLED: &[u8] = b"\0\0\0\0\x02\x0f\xff";
const EMPTY: &[u8] = b"\0\0\0\0\0";

fn server(operations: &Operations) -> Server {
    Server::builder(operations).add_service(ExporterServer::new(Plain::default()))
}

/// report:W4
#[tokio::test]
async fn unknown_services_and_methods_are_named_beside_the_known_ones() {
    let builder = Operations::builder(MemoryStore::new());
    let builder = builder.file_descriptor_set(pb::FILE_DESCRIPTOR_SET);
    let served = Served::start(server(&builder.unwrap().build())).await;
    let mut direct = served.connect().await;
    for (path, message) in [
        (
            "/exporter.v1.Exportr/Export",
            "this server has no service `exporter.v1.Exportr`; it serves `exporter.v1.Exporter`, \
             `google.longrunning.Operations`, `grpc.health.v1.Health`, ",
        ),
        (
            "/exporter.v1.Exporter/Import",
            "the service `exporter.v1.Exporter` has no method `Import`; it has `Export`, `GetTable`",
        ),
        (
            "/google.longrunning.Operations/Pause",
            "has no method `Pause`; it has `ListOperations`, `GetOperation`, ",
        ),
        ("/", "this server has no service ``"),
        ("/operations", "this server has no service `operations`"),
    ] {
        let status = call(&mut direct, path, EMPTY).await;
        check(&status, Code::Unimplemented, "UNIMPLEMENTED_HERE", message);
    }
    let long = format!("/{}/X", "x".repeat(5_000));
    let status = call(&mut direct, &long, EMPTY).await;
    assert!(status.message().len() < 1_000, "{}", status.message());
    drop(direct);
    served.stop().await;

    // A server that hides its protos does not list them.
    let operations = Operations::new(MemoryStore::new());
    let served = Served::start(server(&operations).without_reflection()).await;
    let mut direct = served.connect().await;
    let status = call(&mut direct, "/a.B/C", EMPTY).await;
    assert_eq!(status.message(), "this server has no service `a.B`");
    drop(direct);
    served.stop().await;
}

/// report:W4
#[tokio::test]
async fn requests_that_cannot_be_decoded_are_invalid_arguments() {
    let operations = Operations::new(MemoryStore::new());
    let served = Served::start(server(&operations)).await;
    let mut direct = served.connect().await;
    for path in [
        "/google.longrunning.Operations/GetOperation",
        "/google.longrunning.Operations/ListOperations",
        "/exporter.v1.Exporter/Export",
        "/exporter.v1.Exporter/GetTable",
    ] {
        let status = call(&mut direct, path, GARBLED).await;
        let (code, reason) = (Code::InvalidArgument, "REQUEST_UNDECODABLE");
        check(&status, code, reason, "does not match the proto");
    }
    drop(direct);
    served.stop().await;

    // On a plain tonic server too: the codec of the generated code says it.
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = incoming.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = tonic::transport::Server::builder()
        .add_service(operations.service())
        .add_service(ExporterServer::new(Plain::default()));
    let serving = tokio::spawn(router.serve_with_incoming_shutdown(incoming, async {
        stopped.await.ok();
    }));
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut direct = Direct::over(tcp).await.unwrap();
    let status = call(&mut direct, "/exporter.v1.Exporter/GetTable", GARBLED).await;
    let (code, reason) = (Code::InvalidArgument, "REQUEST_UNDECODABLE");
    check(&status, code, reason, "does not match the proto");
    drop(direct);
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

/// report:W4
#[tokio::test]
async fn every_error_of_a_call_has_an_error_info() {
    let operations = Operations::new(MemoryStore::new());
    let served = Served::start(server(&operations)).await;
    let mut direct = served.connect().await;
    let own = call(&mut direct, "/exporter.v1.Exporter/Export", EMPTY).await;
    check(
        &own,
        Code::Unimplemented,
        "UNIMPLEMENTED",
        "no operations here",
    );
    // A body without a message, one with less than it announces, and one with unknown flags.
    for body in [&b""[..], b"\0\0\0\0\x09abc", b"\x07\0\0\0\0"] {
        let status = call(&mut direct, "/exporter.v1.Exporter/GetTable", body).await;
        assert_eq!(status.code(), Code::Internal, "{status:?}");
        check(&status, Code::Internal, "INTERNAL", "");
    }
    drop(direct);
    served.stop().await;
}
