//! The principal that starts an operation, and its uses.

use std::sync::Arc;
use std::time::Duration;

use lro_core::pb;
use lro_core::pb::operations_server::Operations as _;
use lro_core::store::{Actor, MemoryStore, NewOperation, OperationStore as _, WorkerId};
use lro_server::access::OperationsRpc;
use lro_server::{Operations, OperationsService, ServiceSettings};
use tonic::{Code, Request};
use uuid::Uuid;

use crate::access::fixture::{As, Policies, SERVICE, Server};
use crate::support;
use crate::support::faulty::Node;

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

fn with_reason<T>(user: &str, reason: &str, message: T) -> Request<T> {
    let mut request = As(user).request(message);
    let reason = reason.parse().unwrap();
    request.metadata_mut().insert("lro-reason", reason);
    request
}

#[tokio::test]
async fn who_cancels_or_deletes_and_why_is_stored() {
    let store = Arc::new(MemoryStore::new());
    let policies = Policies::new(|_| Ok(lro_server::access::Access::Allowed));
    let operations = Operations::builder(Node::new(&store)).authorizer(policies);
    let service = OperationsService::from(operations.build());
    let name = "users/ada/operations/1".to_owned();
    let (uid, parsed) = (Uuid::from_u128(1), name.parse().unwrap());
    let mut new = NewOperation::new(uid, parsed, "/s.S/M", lro_core::pack(&()));
    new.claimed_by = Some((WorkerId::from_uuid(uid), Duration::from_secs(30)));
    let started = store.start(vec![new]).await.unwrap().remove(0).unwrap();
    let record = started.record;
    let cancel = || pb::CancelOperationRequest { name: name.clone() };

    let bad = with_reason("ada", "100%", cancel());
    let error = service.cancel_operation(bad).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().starts_with("lro-reason: "), "{error}");
    assert_eq!(store.get(&record.name).await.unwrap(), Some(record.clone()));

    // A name is kept, so it has a limit.
    let long = "x".repeat(513);
    let error = service.cancel_operation(As(&long).request(cancel())).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(
        error.message().starts_with("principal: has 513 bytes"),
        "{error}"
    );
    let delete = pb::DeleteOperationRequest { name: name.clone() };
    let error = service.delete_operation(As(&long).request(delete)).await;
    assert_eq!(error.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(store.get(&record.name).await.unwrap(), Some(record.clone()));

    let first = with_reason("ada", "na%C3%AFve", cancel());
    service.cancel_operation(first).await.unwrap();
    let second = with_reason("bob", "me too", cancel());
    service.cancel_operation(second).await.unwrap();
    let delete = pb::DeleteOperationRequest { name: name.clone() };
    let delete = As("bob").request(delete);
    service.delete_operation(delete).await.unwrap();
    let found = store.get_deleted(&record.name).await.unwrap().unwrap();
    let actor = |principal: &str, reason: &str| {
        Some(Actor {
            principal: principal.to_owned(),
            reason: reason.to_owned(),
        })
    };
    assert_eq!(found.history.cancelled_by, actor("ada", "na\u{ef}ve"));
    assert_eq!(found.history.deleted_by, actor("bob", ""));
}
