//! Policies that depend on who has started an operation.

use futures_util::poll;
use lro_core::pb;
use lro_core::pb::operations_server::Operations as _;
use lro_core::store::MemoryStore;
use lro_server::access::{Access, OperationsRpc};
use lro_server::{Limits, Operations};
use tonic::Code;

use crate::access::fixture::{As, Policies, Server};

/// One collection for all; each has what it has started; admins list.
fn server() -> Server {
    with_limits(Limits::default())
}

fn with_limits(limits: Limits) -> Server {
    let mut policies = Policies::new(|call| {
        let admin = call.principal().name() == "admin";
        Ok(Access::allowed_if(
            call.method() != OperationsRpc::List || admin,
        ))
    });
    policies.operation = Box::new(|call, operation| {
        assert_eq!(operation.method(), "/exporter.v1.Exporter/Export");
        let caller = call.principal().name();
        assert_eq!(call.caller().header("x-user"), Some(caller));
        caller == "admin" || operation.principal() == caller
    });
    let builder = Operations::builder(MemoryStore::new()).authorizer(policies);
    Server::new(builder.limits(limits).build())
}

#[tokio::test]
async fn a_wait_that_is_not_held_is_authorized_all_the_same() {
    let server = with_limits(Limits::default().max_waiters(0));
    let name = server.started("ada", "").await;
    let foreign = server.call(As("bob"), OperationsRpc::Wait, &name).await;
    assert_eq!(foreign.unwrap_err().code(), Code::PermissionDenied);
    server
        .call(As("ada"), OperationsRpc::Wait, &name)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_foreign_operation_is_as_if_it_were_absent() {
    let server = server();
    let name = server.started("ada", "").await;
    let absent = "operations/0190f3c2-0000-7000-8000-000000000000";
    for method in [
        OperationsRpc::Get,
        OperationsRpc::Wait,
        OperationsRpc::Cancel,
        OperationsRpc::Delete,
    ] {
        let there = server.call(As("bob"), method, &name).await.unwrap_err();
        let not_there = server.call(As("bob"), method, absent).await.unwrap_err();
        assert_eq!(there.code(), Code::PermissionDenied, "{method}");
        assert_eq!(not_there.code(), Code::PermissionDenied, "{method}");
        assert_eq!(there.message().replace(&name, absent), not_there.message());
        // A caller that may not list never gets NOT_FOUND.
        let own = server.call(As("ada"), method, absent).await.unwrap_err();
        assert_eq!(own.code(), Code::PermissionDenied, "{method}");
    }
    let absent = server.call(As("admin"), OperationsRpc::Get, absent).await;
    assert_eq!(absent.unwrap_err().code(), Code::NotFound);
    let list = server.listed(As("bob"), "").await.unwrap_err();
    assert_eq!(list.code(), Code::PermissionDenied);
    assert_eq!(
        server.listed(As("admin"), "").await.unwrap(),
        std::slice::from_ref(&name)
    );
    for method in [
        OperationsRpc::Get,
        OperationsRpc::Wait,
        OperationsRpc::Cancel,
        OperationsRpc::Delete,
    ] {
        let own = server.call(As("ada"), method, &name).await;
        assert!(own.is_ok(), "{method}: {own:?}");
    }
}

#[tokio::test]
async fn a_foreign_operation_in_the_way_is_not_named() {
    let server = server();
    let first = server.start("ada", &["exclusive_key=k"]).await.unwrap();
    let error = server.start("bob", &["exclusive_key=k"]).await.unwrap_err();
    assert_eq!(error.code(), Code::Aborted);
    let shown = format!("{error:?}");
    assert!(!shown.contains(first.name()), "{shown}");
    let error = server.start("ada", &["exclusive_key=k"]).await.unwrap_err();
    assert_eq!(error.code(), Code::Aborted);
    assert!(error.message().contains(first.name()), "{error}");
    let named = server.start("ada", &["operation_id=mine"]).await.unwrap();
    let error = server
        .start("bob", &["operation_id=mine"])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let error = server
        .start("ada", &["operation_id=mine"])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::AlreadyExists);
    assert!(error.message().contains(named.name()), "{error}");
}

#[tokio::test]
async fn a_wait_that_was_held_is_authorized_by_what_came_with_its_call() {
    let server = server();
    let name = server.started("ada", "").await;
    let request = As("ada").request(pb::WaitOperationRequest {
        name: name.clone(),
        timeout: None,
    });
    let mut wait = server.service.wait_operation(request);
    assert!(poll!(&mut wait).is_pending());
    let cancel = server.call(As("ada"), OperationsRpc::Cancel, &name);
    cancel.await.unwrap();
    // The policy also reads the headers here.
    assert!(wait.await.unwrap().into_inner().done);
}
