//! ListOperations as a call: parents, pages, tokens, policies.

use std::sync::Arc;

use lro_core::store::{ListPolicy, MemoryStore, NewOperation, OperationStore as _};
use lro_core::{Reason, pack, pb};
use lro_server::{Limits, Operations};
use pb::ListOperationsRequest;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::faulty::Node;

const NAMES: [&str; 6] = [
    "operations/1",
    "p/operations/2",
    "p/q/operations/3",
    "p/r/operations/4",
    "pp/operations/5",
    "p/q/operations/6",
];

async fn store() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    for (n, name) in NAMES.into_iter().enumerate() {
        let uid = uuid::Uuid::from_u128(n as u128 + 1);
        let mut new = NewOperation::new(uid, name.parse().unwrap(), "/s.S/M", pack(&()));
        new.labels.insert("service".to_owned(), "s".to_owned());
        store.start(vec![new]).await.unwrap().remove(0).unwrap();
    }
    store
}

async fn operations() -> Operations {
    Operations::new(Node::new(&store().await))
}

async fn with_policy(list_policy: ListPolicy) -> Operations {
    let builder = Operations::builder(Node::new(&store().await));
    builder.list_policy(list_policy).build()
}

/// Over the wire's encoding, as a client calls.
async fn call(
    operations: &Operations,
    request: ListOperationsRequest,
) -> Result<pb::ListOperationsResponse, Status> {
    let mut client = pb::operations_client::OperationsClient::new(operations.service());
    Ok(client.list_operations(request).await?.into_inner())
}

fn below(name: &str) -> ListOperationsRequest {
    ListOperationsRequest {
        name: name.to_owned(),
        ..ListOperationsRequest::default()
    }
}

fn ids(response: &pb::ListOperationsResponse) -> String {
    let operations = response.operations.iter();
    operations.filter_map(|it| it.name.chars().last()).collect()
}

/// spec:80 spec:81 spec:82 spec:83 spec:85
#[tokio::test]
async fn the_name_is_a_parent_with_or_without_the_collection() {
    let operations = operations().await;
    for (name, wanted) in [
        ("", "1"),
        ("operations", "1"),
        ("p", "2"),
        ("p/operations", "2"),
        ("p/q", "63"),
        ("p/q/operations", "63"),
        ("p/-", "643"),
        ("p/-/operations", "643"),
        ("-/q", "63"),
        ("-", "52"),
    ] {
        let listed = call(&operations, below(name)).await.unwrap();
        assert_eq!(ids(&listed), wanted, "{name}");
    }
    let refused = call(&operations, below("p//q")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

/// spec:84
#[tokio::test]
async fn an_unknown_parent_has_no_operations() {
    let operations = operations().await;
    for name in ["unknown", "unknown/operations", "p/q/r", "unknown/-"] {
        let listed = call(&operations, below(name)).await.unwrap();
        assert_eq!(listed, pb::ListOperationsResponse::default(), "{name}");
    }
}

/// spec:86
#[tokio::test]
async fn partial_success_is_not_there_unless_the_policy_has_it() {
    let partial = |name: &str| ListOperationsRequest {
        return_partial_success: true,
        ..below(name)
    };
    let without = operations().await;
    for name in ["p", "p/-"] {
        let refused = call(&without, partial(name)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{name}");
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.reason, Reason::Unimplemented.as_str());
    }
    let with = with_policy(ListPolicy::default().partial_success(true)).await;
    let refused = call(&with, partial("p/q")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "return_partial_success");
    assert_eq!(ids(&call(&with, partial("p/-")).await.unwrap()), "643");
    assert_eq!(ids(&call(&with, below("p/q")).await.unwrap()), "63");
}

/// spec:87
#[tokio::test]
async fn an_unreachable_store_fails_the_call() {
    let node = Node::new(&store().await);
    let policy = ListPolicy::default().partial_success(true);
    let operations = Operations::builder(node.clone())
        .list_policy(policy)
        .build();
    let request = ListOperationsRequest {
        return_partial_success: true,
        ..below("p/-")
    };
    let listed = call(&operations, request.clone()).await.unwrap();
    assert_eq!(listed.unreachable, [""; 0]);
    node.set_down(true);
    for request in [request, below("p")] {
        let failed = call(&operations, request).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable);
    }
}

/// spec:88
#[tokio::test]
async fn everybody_who_may_list_sees_the_same() {
    let operations = operations().await;
    let mut client = pb::operations_client::OperationsClient::new(operations.service());
    let mut seen = Vec::new();
    for caller in ["alice", "bob"] {
        let mut request = tonic::Request::new(below("p/q"));
        request
            .metadata_mut()
            .insert("x-caller", caller.parse().unwrap());
        let params = "name=p%2Fr".parse().unwrap();
        request
            .metadata_mut()
            .insert("x-goog-request-params", params);
        seen.push(client.list_operations(request).await.unwrap().into_inner());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(ids(&seen[0]), "63");
}

/// spec:94 spec:95
#[tokio::test]
async fn only_the_page_size_may_change_between_pages() {
    let policy = ListPolicy::default().partial_success(true);
    let operations = with_policy(policy).await;
    let first = ListOperationsRequest {
        page_size: 1,
        filter: "done = false".to_owned(),
        ..below("p/-")
    };
    let page = call(&operations, first.clone()).await.unwrap();
    assert_eq!(ids(&page), "6");
    let next = ListOperationsRequest {
        page_token: page.next_page_token,
        ..first
    };
    for changed in [
        ListOperationsRequest {
            name: "p/q".to_owned(),
            ..next.clone()
        },
        ListOperationsRequest {
            filter: "done = true".to_owned(),
            ..next.clone()
        },
        ListOperationsRequest {
            filter: String::new(),
            ..next.clone()
        },
        ListOperationsRequest {
            return_partial_success: true,
            ..next.clone()
        },
    ] {
        let refused = call(&operations, changed.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{changed:?}");
        let violations = refused.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "page_token");
    }
    let same_parent = ListOperationsRequest {
        name: "p/-/operations".to_owned(),
        page_size: 9,
        ..next
    };
    assert_eq!(ids(&call(&operations, same_parent).await.unwrap()), "43");
}

/// spec:98
#[tokio::test]
async fn a_token_is_good_on_every_node_and_twice() {
    let store = store().await;
    let [one, other] = [1, 2].map(|_| Operations::new(Node::new(&store)));
    let first = ListOperationsRequest {
        page_size: 1,
        ..below("p/-")
    };
    let page = call(&one, first.clone()).await.unwrap();
    let next = ListOperationsRequest {
        page_token: page.next_page_token,
        ..first
    };
    let again = [
        call(&one, next.clone()).await.unwrap(),
        call(&other, next.clone()).await.unwrap(),
        call(&other, next).await.unwrap(),
    ];
    assert_eq!(again.each_ref().map(ids), ["4", "4", "4"]);
    assert_eq!(again[0].operations, again[2].operations);
}

/// spec:90 spec:123
#[tokio::test]
async fn a_policy_has_its_page_sizes_and_its_restrictions() {
    let store = store().await;
    let limits = Limits::default().max_page_size(2);
    let builder = || Operations::builder(Node::new(&store)).limits(limits.clone());
    let list = async |operations: &Operations, filter: &str| {
        let request = ListOperationsRequest {
            filter: filter.to_owned(),
            page_size: 99,
            ..below("p/-")
        };
        call(operations, request).await
    };
    let plain = builder().build();
    assert_eq!(
        ids(&list(&plain, "").await.unwrap()),
        "64",
        "as the limits say"
    );
    let policy = ListPolicy::service_infrastructure();
    let dialect = builder().list_policy(policy).build();
    let found = list(&dialect, "serviceName = s AND status = in_progress").await;
    assert_eq!(ids(&found.unwrap()), "643", "as the policy says");
    for bad in [
        "",
        "status = in_progress",
        "serviceName = s OR status = done",
        "done = false",
    ] {
        let refused = list(&dialect, bad).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{bad}");
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.reason, Reason::InvalidFilter.as_str());
    }
}

/// Refused filters, and those that are understood.
async fn understood(operations: &Operations, filter: &str) -> bool {
    let request = ListOperationsRequest {
        filter: filter.to_owned(),
        ..below("p/-")
    };
    match call(operations, request).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status.code(), Code::InvalidArgument, "{filter}");
            false
        }
    }
}

/// spec:78
#[tokio::test]
async fn when_an_operation_expires_is_a_time_and_named_so() {
    let operations = operations().await;
    for (filter, is_field) in [
        ("expire_time > \"2026-01-01T00:00:00Z\"", true),
        ("expire_time = null", true),
        ("expire_time > 5s", false),
        ("ttl > 5s", false),
        ("retain > 5s", false),
        ("expire_after > 5s", false),
    ] {
        assert_eq!(understood(&operations, filter).await, is_field, "{filter}");
    }
}

/// spec:79
#[tokio::test]
async fn a_deleted_operation_is_never_listed() {
    let set = FileDescriptorSet::decode(pb::FILE_DESCRIPTOR_SET).unwrap();
    let mut messages = set.file.iter().flat_map(|file| &file.message_type);
    let list = messages.find(|it| it.name() == "ListOperationsRequest");
    let fields: Vec<_> = list
        .unwrap()
        .field
        .iter()
        .map(prost_types::FieldDescriptorProto::name)
        .collect();
    assert!(!fields.contains(&"show_deleted"), "{fields:?}");
    let operations = operations().await;
    // It has not ended, so its record is still there.
    let name = "p/q/operations/3".parse().unwrap();
    operations.delete(&name).await.unwrap();
    assert_eq!(ids(&call(&operations, below("p/q")).await.unwrap()), "6");
    for filter in ["delete_time:*", "purge_time:*", "state = DELETED"] {
        assert!(!understood(&operations, filter).await, "{filter}");
    }
    for filter in ["state = PENDING", "done = false", "labels.service = s"] {
        let request = ListOperationsRequest {
            filter: filter.to_owned(),
            ..below("p/q")
        };
        assert_eq!(ids(&call(&operations, request).await.unwrap()), "6");
    }
}
