use std::sync::Arc;

use lro_core::store::MemoryStore;
use lro_server::access::Access;
use lro_server::{Limits, Operations, ServiceSettings};
use tonic::Code;

use super::check_rpc;
use crate::access::fixture::{Policies, SERVICE, Server};
use crate::support::faulty::Node;

/// spec:135 spec:138
#[tokio::test]
async fn every_error_of_a_start_carries_its_details() {
    let store = Arc::new(MemoryStore::new());
    let node = Node::lagging(&store, 0);
    let users = ServiceSettings::new(SERVICE).parent("users/*".parse().unwrap());
    let limits = Limits::default().max_request_len(2_000);
    let builder = Operations::builder(node.clone()).bind(users).limits(limits);
    let mut policies = Policies::new(|_| Ok(Access::Allowed));
    policies.start = Box::new(|start| start.principal().name() != "eve");
    let server = Server::new(builder.authorizer(policies).build());
    let parent = "parent=users/u";
    let held = [parent, "exclusive_key=k"];
    server.start("ada", &held).await.unwrap();
    let named = [parent, "operation_id=mine"];
    server.start("ada", &named).await.unwrap();
    server
        .start("ada", &[parent, "request_id=7"])
        .await
        .unwrap();
    let long_id = format!("operation_id={}", "\u{1}".repeat(1_500));
    let bad_id = format!("request_id={}", "x".repeat(200));
    let large = "x".repeat(3_000);
    for (what, who, tables, code, reason, field) in [
        (
            "who",
            "",
            &[parent] as &[&str],
            Code::Unauthenticated,
            "UNAUTHENTICATED",
            "",
        ),
        (
            "denied",
            "eve",
            &[parent],
            Code::PermissionDenied,
            "PERMISSION_DENIED",
            "",
        ),
        (
            "misconfigured",
            "ada",
            &["a"],
            Code::Internal,
            "SERVICE_MISCONFIGURED",
            "",
        ),
        (
            "too large",
            "ada",
            &[&large],
            Code::ResourceExhausted,
            "LIMIT_EXCEEDED",
            "",
        ),
        (
            "id",
            "ada",
            &[parent, &long_id],
            Code::InvalidArgument,
            "INVALID_FIELD",
            "operation_id",
        ),
        (
            "request id",
            "ada",
            &[parent, &bad_id],
            Code::InvalidArgument,
            "INVALID_FIELD",
            "request_id",
        ),
        (
            "exists",
            "ada",
            &named,
            Code::AlreadyExists,
            "OPERATION_ALREADY_EXISTS",
            "",
        ),
        ("key", "ada", &held, Code::Aborted, "EXCLUSIVE_KEY_HELD", ""),
        (
            "reused",
            "ada",
            &[parent, "request_id=7", "other=1"],
            Code::InvalidArgument,
            "REQUEST_ID_REUSED",
            "request_id",
        ),
    ] {
        let error = server.start(who, tables).await.unwrap_err();
        check_rpc(what, &error, code, reason, field);
    }
    node.set_down(true);
    let error = server.start("ada", &[parent]).await.unwrap_err();
    check_rpc("store", &error, Code::Unavailable, "STORE_UNAVAILABLE", "");
}
