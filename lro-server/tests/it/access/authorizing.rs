//! The calls of the authorizer, their order, and the effect of its answers.

use std::sync::{Arc, Mutex};

use lro_core::pb::ListOperationsRequest;
use lro_core::store::MemoryStore;
use lro_server::access::{Access, OperationsRpc};
use lro_server::{Operations, ServiceSettings};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::access::fixture::{As, Policies, SERVICE, Server};

fn users() -> ServiceSettings {
    ServiceSettings::new(SERVICE)
        .permission_prefix("exporter")
        .parent("users/*".parse().unwrap())
}

fn server(policies: Policies) -> Server {
    let builder = Operations::builder(MemoryStore::new()).bind(users());
    Server::new(builder.authorizer(policies).build())
}

/// spec:43
#[tokio::test]
async fn denied_and_absent_operations_read_the_same() {
    let server = server(Policies::tenants());
    let name = server.started("ada", "users/ada").await;
    let absent = "users/ada/operations/0190f3c2-0000-7000-8000-000000000000";
    assert_eq!(name.len(), absent.len());
    for method in [
        OperationsRpc::Get,
        OperationsRpc::Wait,
        OperationsRpc::Cancel,
        OperationsRpc::Delete,
    ] {
        let there = server.call(As("bob"), method, &name).await.unwrap_err();
        let not_there = server.call(As("bob"), method, absent).await.unwrap_err();
        assert_eq!(there.code(), Code::PermissionDenied);
        assert_eq!(not_there.code(), Code::PermissionDenied);
        assert_eq!(there.message().replace(&name, absent), not_there.message());
        let expected = format!("permission `exporter.operations.{method}` denied on `{absent}`");
        assert!(not_there.message().starts_with(&expected), "{not_there}");
        let resource = there.get_details_resource_info().unwrap();
        assert_eq!(resource.resource_name, name);
        // The owner learns it, and the operation stays.
        let error = server.call(As("ada"), method, absent).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound, "{method}");
    }
    assert!(
        server
            .call(As("ada"), OperationsRpc::Get, &name)
            .await
            .is_ok()
    );
}

/// spec:42
#[tokio::test]
async fn not_found_is_for_those_who_may_list_the_parent() {
    // Every caller may get, only ada may list.
    let server = server(Policies::new(|call| {
        let lists = call.principal().name() == "ada";
        Ok(Access::allowed_if(
            call.method() != OperationsRpc::List || lists,
        ))
    }));
    let absent = "users/u/operations/1";
    let error = server
        .call(As("ada"), OperationsRpc::Get, absent)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let error = server
        .call(As("bob"), OperationsRpc::Get, absent)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let name = server.started("eve", "users/u").await;
    assert!(
        server
            .call(As("bob"), OperationsRpc::Get, &name)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_authorizer_sees_permission_name_parent_and_service() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = server(Policies::new({
        let seen = seen.clone();
        move |call| {
            seen.lock().unwrap().push(format!(
                "{} {} {} {} {}",
                call.permission(),
                call.service(),
                call.parent(),
                call.name().map_or("-", |name| name.operation_id()),
                call.caller().rpc(),
            ));
            Ok(Access::Denied)
        }
    }));
    for method in OperationsRpc::ALL {
        let name = match method {
            OperationsRpc::List => "users/-/operations",
            _ => "users/u/operations/7",
        };
        let error = server.call(As("ada"), method, name).await.unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied);
    }
    let rpc = "/google.longrunning.Operations";
    assert_eq!(
        *seen.lock().unwrap(),
        [
            format!("exporter.operations.get {SERVICE} users/u 7 {rpc}/GetOperation"),
            format!("exporter.operations.list {SERVICE} users/* - {rpc}/ListOperations"),
            format!("exporter.operations.wait {SERVICE} users/u 7 {rpc}/WaitOperation"),
            format!("exporter.operations.cancel {SERVICE} users/u 7 {rpc}/CancelOperation"),
            format!("exporter.operations.delete {SERVICE} users/u 7 {rpc}/DeleteOperation"),
        ]
    );
}

/// spec:84 spec:97
#[tokio::test]
async fn arguments_are_looked_at_after_the_permission() {
    let server = server(Policies::tenants());
    let bad = ListOperationsRequest {
        name: "users/ada".to_owned(),
        filter: "nothing = like this = at all".to_owned(),
        page_size: -1,
        page_token: "garbled".to_owned(),
        return_partial_success: false,
    };
    let error = server.list(As("bob"), bad.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let error = server.list(As("ada"), bad).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    // Authentication comes first; an invalid name comes before permissions.
    let error = server
        .call(As(""), OperationsRpc::Get, "operations/a/b")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    let error = server
        .call(As("bob"), OperationsRpc::Get, "operations/a/b")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_authorizer_that_cannot_decide_answers_itself_but_has_no_words_for_no() {
    let server = server(Policies::new(|call| match call.principal().name() {
        "ada" => Err(Status::unavailable("the policy server is away")),
        _ => Err(Status::permission_denied("operation 7 is secret")),
    }));
    let name = "users/u/operations/7";
    let error = server
        .call(As("ada"), OperationsRpc::Get, name)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::Unavailable, "the policy server is away")
    );
    assert!(error.get_details_error_info().is_some());
    let error = server
        .call(As("bob"), OperationsRpc::Get, name)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(!error.message().contains("secret"), "{error}");
}

#[tokio::test]
async fn scopes_are_asked_for_before_the_authorizer_is() {
    let service = users()
        .scopes(["auth/cloud-platform", "auth/genomics"])
        .read_only_scopes(["auth/genomics.readonly"]);
    let builder = Operations::builder(MemoryStore::new()).bind(service);
    let server = Server::new(builder.authorizer(Policies::tenants()).build());
    let error = server
        .start("ada", &["parent=users/ada"])
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let reads = "ada;auth/genomics.readonly";
    assert!(server.start(reads, &["parent=users/ada"]).await.is_err());
    let writes = "ada;other auth/genomics";
    let name = server.started(writes, "users/ada").await;
    for method in OperationsRpc::ALL {
        let name = match method {
            OperationsRpc::List => "users/ada",
            _ => &name,
        };
        for (who, allowed) in [
            ("ada", false),
            ("ada;", false),
            ("ada;other", false),
            (reads, method.is_read_only()),
            ("bob;auth/cloud-platform", false),
            ("ada;auth/cloud-platform", true),
        ] {
            let answer = server.call(As(who), method, name).await;
            assert_eq!(answer.is_ok(), allowed, "{who} {method}");
            let Err(error) = answer else { continue };
            assert_eq!(error.code(), Code::PermissionDenied);
            let reason = error.get_details_error_info().unwrap().reason;
            let expected = match who {
                "bob;auth/cloud-platform" => "PERMISSION_DENIED",
                _ => "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            };
            assert_eq!(reason, expected, "{who} {method}");
        }
    }
}

#[tokio::test]
async fn without_an_authorizer_everybody_may_do_everything() {
    let server = Server::new(Operations::new(MemoryStore::new()));
    let name = server.started("ada", "users/ada").await;
    for method in OperationsRpc::ALL {
        let name = match method {
            OperationsRpc::List => "users/ada",
            _ => &name,
        };
        assert!(
            server.call(As("bob"), method, name).await.is_ok(),
            "{method}"
        );
    }
}
