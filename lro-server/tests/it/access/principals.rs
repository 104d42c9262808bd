//! The principal that starts an operation, and its uses.

use lro_core::store::MemoryStore;
use lro_server::access::OperationsRpc;
use lro_server::{Operations, ServiceSettings};
use tonic::Code;

use crate::access::fixture::{As, Policies, SERVICE, Server};
use crate::support;

fn operations() -> Operations {
    let users = ServiceSettings::new(SERVICE).parent("users/*".parse().unwrap());
    let builder = Operations::builder(MemoryStore::new()).bind(users);
    builder.authorizer(Policies::tenants()).build()
}

#[tokio::test]
async fn the_body_and_the_authorizer_know_who_started_it() {
    let operations = operations();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let exporter = support::Exporter::new(&operations, move |_, operation| {
        let tell = tell.clone();
        async move {
            tell.send(operation.principal().to_owned()).unwrap();
            Ok(support::exported(1))
        }
    });
    let worker = lro_server::Worker::builder(&operations);
    let worker = worker.host(exporter.clone()).start().await.unwrap();
    for (tables, principal) in [
        (&["parent=users/ada"] as &[&str], "ada"),
        (&["parent=users/ada", "principal=robot"], "robot"),
    ] {
        let tables = tables.iter().copied().map(str::to_owned).collect();
        let request = As("ada").request(exporter::pb::ExportRequest { tables });
        let started = exporter::pb::exporter_server::Exporter::export(&*exporter, request).await;
        started.unwrap();
        assert_eq!(told.recv().await.unwrap(), principal);
    }
    let request = As("ada").request(());
    assert_eq!(operations.principal(&request).await.unwrap().name(), "ada");
    let request = As("").request(());
    let error = operations.principal(&request).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    worker.drain().await;
}

/// spec:41
#[tokio::test]
async fn a_start_is_authenticated_and_authorized() {
    let server = Server::new(operations());
    let error = server.start("", &["parent=users/ada"]).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    let error = server
        .start("bob", &["parent=users/ada"])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(error.message().contains("users/ada/operations"), "{error}");
    assert!(server.start("ada", &["parent=users/ada"]).await.is_ok());
}

/// spec:128
#[tokio::test]
async fn a_request_id_is_each_principals_own() {
    let mut policies = Policies::tenants();
    policies.start = Box::new(|_| true);
    let server = Server::new(
        Operations::builder(MemoryStore::new())
            .authorizer(policies)
            .build(),
    );
    let tables = ["parent=users/shared", "request_id=7"];
    let ada = server.start("ada", &tables).await.unwrap();
    let again = server.start("ada", &tables).await.unwrap();
    assert_eq!(ada.name(), again.name());
    let bob = server.start("bob", &tables).await.unwrap();
    assert_ne!(ada.name(), bob.name());
    // Another request under a foreign id is no reuse of it.
    let other = ["parent=users/shared", "request_id=7", "table=x"];
    assert!(server.start("eve", &other).await.is_ok());
    let error = server.start("ada", &other).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_tenant_learns_that_its_deleted_operation_still_has_its_name() {
    let server = Server::new(operations());
    let tables = ["parent=users/ada", "operation_id=mine"];
    let started = server.start("ada", &tables).await.unwrap();
    let name = started.name();
    server
        .call(As("ada"), OperationsRpc::Delete, name)
        .await
        .unwrap();
    let error = server.start("ada", &tables).await.unwrap_err();
    assert_eq!(error.code(), Code::AlreadyExists);
}
