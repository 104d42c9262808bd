//! Every way in which a call can fail, and what its error carries.

// The tests of `lro-tests` take this module, too.
#[path = "errors/bodies.rs"]
mod bodies;
#[path = "errors/starts.rs"]
mod starts;

use std::collections::BTreeSet;
use std::sync::Arc;

use lro_core::pb::rpc;
use lro_core::store::MemoryStore;
use lro_core::{DOMAIN, pb};
use lro_server::access::{Access, OperationsRpc};
use lro_server::{Operations, ServiceSettings};
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::access::fixture::{As, Policies, SERVICE, Server};
use crate::access::transport;
use crate::support::faulty::Node;

/// One ErrorInfo as AIP-193 wants it, each type of detail at most once, and room in the trailers.
fn check(what: &str, details: &[Any]) -> String {
    let types: Vec<_> = details.iter().map(|it| &*it.type_url).collect();
    let distinct: BTreeSet<_> = types.iter().collect();
    assert_eq!(types.len(), distinct.len(), "{what}: {types:?}");
    let info = details
        .iter()
        .find(|it| it.type_url.ends_with("/google.rpc.ErrorInfo"));
    let info = info.unwrap_or_else(|| panic!("{what}: no ErrorInfo in {types:?}"));
    let info = tonic_types::pb::ErrorInfo::decode(&*info.value).unwrap();
    let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    let reason = info.reason.as_bytes();
    assert!(
        reason.len() <= 63 && reason[0].is_ascii_uppercase(),
        "{what}: {info:?}"
    );
    assert!(
        reason.iter().all(|b| upper(*b) || *b == b'_'),
        "{what}: {info:?}"
    );
    assert!(upper(reason[reason.len() - 1]), "{what}: {info:?}");
    assert_eq!(info.domain, DOMAIN, "{what}");
    for key in info.metadata.keys() {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        assert!(
            key.len() <= 64 && key.as_bytes()[0].is_ascii_lowercase(),
            "{what}: {key}"
        );
        assert!(key.bytes().all(plain), "{what}: {key}");
    }
    info.reason
}

fn check_rpc(what: &str, error: &Status, code: Code, reason: &str, field: &str) {
    assert_eq!(error.code(), code, "{what}: {error}");
    let decoded = rpc::Status::decode(error.details()).unwrap();
    assert_eq!(decoded.code, code as i32, "{what}");
    assert_eq!(decoded.message, error.message(), "{what}");
    assert_eq!(check(what, &decoded.details), reason, "{what}");
    let violations = error
        .get_details_bad_request()
        .map(|it| it.field_violations);
    let fields: Vec<_> = violations.iter().flatten().map(|it| &*it.field).collect();
    match field {
        "" => assert!(fields.is_empty(), "{what}: {fields:?}"),
        field => assert_eq!(fields, [field], "{what}"),
    }
    let sent = error.clone().into_http::<()>();
    let trailers: usize = sent
        .headers()
        .iter()
        .map(|(k, v)| k.as_str().len() + v.len())
        .sum();
    assert!(trailers < 8 * 1024, "{what}: {trailers} bytes");
}

fn list(name: &str) -> pb::ListOperationsRequest {
    pb::ListOperationsRequest {
        name: name.to_owned(),
        ..Default::default()
    }
}

/// spec:135 spec:138
#[tokio::test]
async fn every_error_of_the_service_carries_its_details() {
    let store = Arc::new(MemoryStore::new());
    let node = Node::lagging(&store, 0);
    let users = ServiceSettings::new(SERVICE)
        .parent("users/*".parse().unwrap())
        .disable(OperationsRpc::Delete);
    let mut policies = Policies::new(|call| match call.principal().name() {
        "stuck" => Err(Status::unavailable("x".repeat(100_000))),
        "eve" => Ok(Access::Denied),
        _ => Ok(Access::Allowed),
    });
    policies.operation = Box::new(|call, _| call.principal().name() != "bob");
    let builder = Operations::builder(node.clone()).bind(users);
    let server = Server::new(builder.authorizer(policies).build());
    let name = server.started("ada", "users/u").await;
    let long = format!("users/{}/operations/1", "\u{1}".repeat(490));
    let too_long = format!("users/{}/operations/1", "\u{e9}".repeat(4_000));

    let absent = "users/u/operations/1";
    for (what, who, method, name, code, reason, field) in [
        (
            "no credentials",
            "",
            OperationsRpc::Get,
            absent,
            Code::Unauthenticated,
            "UNAUTHENTICATED",
            "",
        ),
        (
            "denied",
            "eve",
            OperationsRpc::Get,
            absent,
            Code::PermissionDenied,
            "PERMISSION_DENIED",
            "",
        ),
        (
            "denied later",
            "bob",
            OperationsRpc::Get,
            &name,
            Code::PermissionDenied,
            "PERMISSION_DENIED",
            "",
        ),
        (
            "denied list",
            "eve",
            OperationsRpc::List,
            "users/-",
            Code::PermissionDenied,
            "PERMISSION_DENIED",
            "",
        ),
        (
            "undecided",
            "stuck",
            OperationsRpc::Get,
            absent,
            Code::Unavailable,
            "UNAVAILABLE",
            "",
        ),
        (
            "absent",
            "ada",
            OperationsRpc::Get,
            absent,
            Code::NotFound,
            "OPERATION_NOT_FOUND",
            "",
        ),
        (
            "absent",
            "ada",
            OperationsRpc::Wait,
            absent,
            Code::NotFound,
            "OPERATION_NOT_FOUND",
            "",
        ),
        (
            "absent",
            "ada",
            OperationsRpc::Cancel,
            absent,
            Code::NotFound,
            "OPERATION_NOT_FOUND",
            "",
        ),
        (
            "unbound",
            "ada",
            OperationsRpc::Get,
            "operations/1",
            Code::NotFound,
            "OPERATION_NOT_FOUND",
            "",
        ),
        (
            "unbound",
            "ada",
            OperationsRpc::List,
            "",
            Code::NotFound,
            "OPERATION_NOT_FOUND",
            "",
        ),
        (
            "off",
            "ada",
            OperationsRpc::Delete,
            &name,
            Code::Unimplemented,
            "UNIMPLEMENTED_HERE",
            "",
        ),
        (
            "no name",
            "ada",
            OperationsRpc::Get,
            "",
            Code::InvalidArgument,
            "INVALID_FIELD",
            "name",
        ),
        (
            "bad name",
            "ada",
            OperationsRpc::Cancel,
            &long,
            Code::InvalidArgument,
            "INVALID_FIELD",
            "name",
        ),
        (
            "long name",
            "ada",
            OperationsRpc::Wait,
            &too_long,
            Code::InvalidArgument,
            "INVALID_FIELD",
            "name",
        ),
        (
            "bad parent",
            "ada",
            OperationsRpc::List,
            "a//b",
            Code::InvalidArgument,
            "INVALID_FIELD",
            "name",
        ),
    ] {
        if !transport::carries(method, name) {
            continue;
        }
        let error = server.call(As(who), method, name).await.unwrap_err();
        check_rpc(&format!("{what} {method}"), &error, code, reason, field);
    }

    let request = |change: fn(&mut pb::ListOperationsRequest)| {
        let mut request = list("users/u");
        change(&mut request);
        request
    };
    for (what, request, reason, field) in [
        (
            "page size",
            request(|it| it.page_size = -1),
            "INVALID_FIELD",
            "page_size",
        ),
        (
            "token",
            request(|it| it.page_token = "x".repeat(10_000)),
            "INVALID_FIELD",
            "page_token",
        ),
        (
            "filter",
            request(|it| it.filter = "done =".to_owned()),
            "INVALID_FILTER",
            "filter",
        ),
        (
            "long filter",
            request(|it| it.filter = "\u{1}".repeat(9_000)),
            "INVALID_FILTER",
            "filter",
        ),
    ] {
        if !transport::carries_text(&request.filter) {
            continue;
        }
        let error = server.list(As("ada"), request).await.unwrap_err();
        check_rpc(what, &error, Code::InvalidArgument, reason, field);
    }
    let wait = pb::WaitOperationRequest {
        name: name.clone(),
        timeout: Some(prost_types::Duration {
            seconds: -1,
            nanos: 0,
        }),
    };
    let wait = As("ada").request(wait);
    let error = pb::operations_server::Operations::wait_operation(&server.service, wait).await;
    let error = error.unwrap_err();
    check_rpc(
        "timeout",
        &error,
        Code::InvalidArgument,
        "INVALID_FIELD",
        "timeout",
    );

    node.set_down(true);
    for method in [
        OperationsRpc::Get,
        OperationsRpc::List,
        OperationsRpc::Wait,
        OperationsRpc::Cancel,
    ] {
        let name = if method == OperationsRpc::List {
            "users/u"
        } else {
            &name
        };
        let error = server.call(As("ada"), method, name).await.unwrap_err();
        check_rpc("store", &error, Code::Unavailable, "STORE_UNAVAILABLE", "");
    }
}
