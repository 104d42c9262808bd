//! Services of one server whose lists are unlike.

use std::sync::Arc;

use exporter::pb::FILE_DESCRIPTOR_SET;
use lro_core::filter::Schema;
use lro_core::store::{ListPolicy, MemoryStore, NewOperation, OperationStore as _};
use lro_core::{ListOptions, Reason, pack, pb};
use lro_server::access::OperationsRpc;
use lro_server::{Limits, Operations, OperationsBuilder, ServiceSettings};
use pb::ListOperationsRequest;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::faulty::Node;

const MANAGEMENT: &str = "a.Management";
const GENOMICS: &str = "b.Genomics";
const PLAIN: &str = "c.Plain";

/// 300 operations of each service, below parents that differ in nothing else.
async fn store() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let mut uid = 0;
    for (parent, service) in [
        ("services/x", MANAGEMENT),
        ("projects/x", GENOMICS),
        ("users/x", PLAIN),
    ] {
        let mut starts = Vec::new();
        for _ in 0..300 {
            uid += 1;
            let name = format!("{parent}/operations/{uid}").parse().unwrap();
            let uid = uuid::Uuid::from_u128(uid);
            let mut new = NewOperation::new(uid, name, format!("/{service}/M"), pack(&()));
            for label in ["service", "project"] {
                new.labels.insert(label.to_owned(), "x".to_owned());
            }
            starts.push(new);
        }
        let started = store.start(starts).await.unwrap();
        assert!(started.iter().all(Result::is_ok));
    }
    store
}

fn bound(service: &str, parents: &[&str]) -> ServiceSettings {
    let settings = ServiceSettings::new(service);
    let parents = parents.iter().map(|it| it.parse().unwrap());
    parents.fold(settings, ServiceSettings::parent)
}

async fn builder() -> OperationsBuilder {
    Operations::builder(Node::new(&store().await))
}

/// Each with the dialect that it documents.
async fn server() -> Operations {
    let management = bound(MANAGEMENT, &["services/*", "both/*"]);
    let genomics = bound(GENOMICS, &["projects/*", "both/*"]);
    let builder = builder()
        .await
        .bind(management.list_policy(ListPolicy::service_infrastructure()))
        .bind(genomics.list_policy(ListPolicy::genomics_v1()))
        .bind(bound(PLAIN, &["users/*"]));
    builder.build()
}

async fn list(
    operations: &Operations,
    name: &str,
    filter: &str,
    page_size: i32,
) -> Result<usize, Status> {
    let mut client = pb::operations_client::OperationsClient::new(operations.service());
    let request = ListOperationsRequest {
        name: name.to_owned(),
        filter: filter.to_owned(),
        page_size,
        ..ListOperationsRequest::default()
    };
    let listed = client.list_operations(request).await?.into_inner();
    // The server itself lists as its callers do.
    let options = ListOptions::new().filter(filter).page_size(page_size);
    let own = operations.list(name.parse().unwrap(), &options);
    assert_eq!(listed.operations, own.await.unwrap().operations);
    Ok(listed.operations.len())
}

/// The field at fault, and why.
async fn refused(operations: &Operations, name: &str, filter: &str) -> Code {
    let refused = list(operations, name, filter, 0).await.unwrap_err();
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "filter", "{name}: {filter}");
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.reason, Reason::InvalidFilter.as_str());
    refused.code()
}

/// spec:90
#[tokio::test]
async fn each_service_has_pages_of_its_own() {
    let operations = server().await;
    for (name, filter, default, wanted_200, max) in [
        ("services/x", "serviceName = x", 50, 100, 100),
        ("services/-", "serviceName = x", 50, 100, 100),
        ("projects/x", "projectId = x", 256, 200, 256),
        ("users/x", "", 50, 200, 300),
    ] {
        for (page_size, len) in [(0, default), (7, 7), (200, wanted_200), (i32::MAX, max)] {
            let listed = list(&operations, name, filter, page_size).await.unwrap();
            assert_eq!(listed, len, "{name} in pages of {page_size}");
        }
    }
}

/// spec:123
#[tokio::test]
async fn each_service_has_filters_of_its_own() {
    let operations = server().await;
    let filters = [
        "serviceName = x AND status = in_progress",
        "projectId = x AND status = RUNNING",
        "done = false AND labels.service = x",
        "",
    ];
    for (name, understood) in [
        ("services/x", &[0_usize] as &[_]),
        ("services/-/operations", &[0]),
        ("projects/x", &[1]),
        ("users/x/operations", &[2, 3]),
    ] {
        for (n, filter) in filters.into_iter().enumerate() {
            if understood.contains(&n) {
                assert_eq!(list(&operations, name, filter, 7).await.unwrap(), 7);
            } else {
                let code = refused(&operations, name, filter).await;
                assert_eq!(code, Code::InvalidArgument, "{name}: {filter}");
            }
        }
    }
}

#[tokio::test]
async fn the_servers_policy_applies_where_services_disagree() {
    let operations = server().await;
    assert_eq!(
        list(&operations, "both/x", "done = false", 0)
            .await
            .unwrap(),
        0
    );
    for filter in ["serviceName = x", "projectId = x"] {
        let code = refused(&operations, "both/x", filter).await;
        assert_eq!(code, Code::InvalidArgument);
    }
    // One of them alone offers lists: then it is that one's.
    let management = bound(MANAGEMENT, &["services/*"]);
    let genomics = bound(GENOMICS, &["services/*"]).list_policy(ListPolicy::genomics_v1());
    let operations = builder()
        .await
        .bind(management.list_policy(ListPolicy::service_infrastructure()))
        .bind(genomics.disable(OperationsRpc::List))
        .build();
    let listed = list(&operations, "services/x", "serviceName = x", 0).await;
    assert_eq!(listed.unwrap(), 50);
}

#[tokio::test]
async fn services_that_agree_have_their_policy_for_the_lists_that_they_share() {
    let of = |service| {
        let policy = ListPolicy::service_infrastructure();
        bound(service, &["services/*"]).list_policy(policy)
    };
    let operations = builder()
        .await
        .bind(of(MANAGEMENT))
        .bind(of(GENOMICS))
        .build();
    let listed = list(&operations, "services/x", "serviceName = x", 0).await;
    assert_eq!(listed.unwrap(), 50);
    let code = refused(&operations, "services/x", "").await;
    assert_eq!(code, Code::InvalidArgument);
}

#[tokio::test]
async fn the_servers_policy_and_limits_are_for_services_without_one() {
    let limits = Limits::default().default_page_size(3).max_page_size(4);
    let policy = ListPolicy::default()
        .default_page_size(10)
        .max_page_size(20);
    let own = ListPolicy::default().default_page_size(2);
    let operations = builder()
        .await
        .limits(limits)
        .list_policy(policy)
        .bind(bound(MANAGEMENT, &["services/*"]).list_policy(own))
        .bind(bound(PLAIN, &["users/*"]))
        .build();
    for (name, page_size, len) in [
        ("users/x", 0, 10),
        ("users/x", 99, 20),
        ("services/x", 0, 2),
        // The limits, not the server's policy, apply to values that a policy leaves open.
        ("services/x", 99, 4),
    ] {
        let listed = list(&operations, name, "", page_size).await.unwrap();
        assert_eq!(listed, len, "{name} in pages of {page_size}");
    }
}

/// spec:86
#[tokio::test]
async fn partial_success_is_each_services_to_take() {
    let takes = ListPolicy::default().partial_success(true);
    let operations = builder()
        .await
        .bind(bound(MANAGEMENT, &["services/*"]).list_policy(takes))
        .bind(bound(PLAIN, &["users/*"]))
        .build();
    let mut client = pb::operations_client::OperationsClient::new(operations.service());
    for (name, code) in [
        ("services/-", Code::Ok),
        ("services/x", Code::InvalidArgument),
        ("users/-", Code::Unimplemented),
    ] {
        let request = ListOperationsRequest {
            name: name.to_owned(),
            return_partial_success: true,
            ..ListOperationsRequest::default()
        };
        let answer = client.list_operations(request).await;
        assert_eq!(answer.map_or_else(|it| it.code(), |_| Code::Ok), code);
    }
}

#[tokio::test]
async fn payloads_may_be_named_in_the_lists_of_all_services() {
    let filter = "metadata.tables_done > 5";
    let own = ListPolicy::new(Schema::default()).max_page_size(9);
    let with_service = |builder: OperationsBuilder| {
        builder
            .bind(bound(MANAGEMENT, &["services/*"]).list_policy(own.clone()))
            .bind(bound(GENOMICS, &["projects/*"]).list_policy(ListPolicy::genomics_v1()))
    };
    let without = with_service(builder().await).build();
    assert_eq!(
        refused(&without, "services/x", filter).await,
        Code::InvalidArgument
    );
    // Whichever is said first.
    let first = builder().await.file_descriptor_set(FILE_DESCRIPTOR_SET);
    let first = with_service(first.unwrap()).build();
    let last = with_service(builder().await).file_descriptor_set(FILE_DESCRIPTOR_SET);
    for operations in [first, last.unwrap().build()] {
        assert_eq!(list(&operations, "services/x", filter, 0).await.unwrap(), 0);
        let closed = format!("projectId = x AND {filter}");
        let code = refused(&operations, "projects/x", &closed).await;
        assert_eq!(code, Code::InvalidArgument, "a closed dialect stays closed");
    }
}
