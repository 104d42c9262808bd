//! The methods of google.longrunning.Operations, by their paths.

use lro_core::pb;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};

use crate::access::transport::Wire;

/// Calls a method by its path, without generated code.
async fn call(wire: &Wire, path: &'static str, message: pb::GetOperationRequest) -> Code {
    let mut client = tonic::client::Grpc::new(wire.channel.clone());
    client.ready().await.unwrap();
    let codec = lro_core::codec::ProstCodec::<_, pb::Operation>::default();
    let path = PathAndQuery::from_static(path);
    match client.unary(Request::new(message), path, codec).await {
        Ok(_) => Code::Ok,
        Err(error) => error.code(),
    }
}

/// spec:1 spec:5
#[tokio::test]
async fn the_service_has_five_unary_methods_and_no_more() {
    let wire = Wire::new().await;
    let name = wire.server.started("", "").await;
    let get = || pb::GetOperationRequest { name: name.clone() };
    for (path, code) in [
        ("/google.longrunning.Operations/GetOperation", Code::Ok),
        ("/google.longrunning.Operations/WaitOperation", Code::Ok),
        ("/google.longrunning.Operations/CancelOperation", Code::Ok),
        ("/google.longrunning.Operations/DeleteOperation", Code::Ok),
        // The name of a Get is the filter of a list: field 1.
        (
            "/google.longrunning.Operations/ListOperations",
            Code::InvalidArgument,
        ),
        (
            "/google.longrunning.Operations/CreateOperation",
            Code::Unimplemented,
        ),
        (
            "/google.longrunning.Operations/getOperation",
            Code::Unimplemented,
        ),
        (
            "/google.longrunning.operations/GetOperation",
            Code::Unimplemented,
        ),
    ] {
        // Cancelled before, a wait ends at once.
        wire.server
            .operations
            .cancel(&name.parse().unwrap())
            .await
            .ok();
        assert_eq!(call(&wire, path, get()).await, code, "{path}");
    }
    wire.stop().await;
}
