//! Which names a service has, and which methods.

use std::sync::Arc;

use lro_core::store::MemoryStore;
use lro_server::access::OperationsRpc;
use lro_server::{Operations, OperationsBuilder, ServiceSettings};
use tonic::Code;

use crate::access::fixture::{As, SERVICE, Server};
use crate::support::faulty::Node;

const ANONYMOUS: As<'_> = As("");

fn exporter() -> ServiceSettings {
    ServiceSettings::new(SERVICE)
        .parent("users/*".parse().unwrap())
        .parent("projects/*/locations/*".parse().unwrap())
}

fn server(settings: impl FnOnce(OperationsBuilder) -> OperationsBuilder) -> Server {
    Server::new(settings(Operations::builder(MemoryStore::new())).build())
}

/// spec:28 spec:29
#[tokio::test]
async fn names_are_of_the_services_binding_and_stay() {
    let server = server(|it| it.bind(exporter()));
    for parent in ["users/u", "projects/p/locations/l"] {
        let name = server.started("", parent).await;
        assert!(name.starts_with(&format!("{parent}/operations/")), "{name}");
        let crate::access::fixture::Answer::Operation(got) = server
            .call(ANONYMOUS, OperationsRpc::Get, &name)
            .await
            .unwrap()
        else {
            panic!("an operation");
        };
        assert_eq!(got.name, name);
    }
}

#[tokio::test]
async fn a_start_outside_of_its_binding_is_the_programs_mistake() {
    let bound = server(|it| it.bind(exporter()));
    for parent in ["", "users", "users/u/v", "folders/f"] {
        let parent = format!("parent={parent}");
        let error = bound.start("", &[&parent]).await.unwrap_err();
        assert_eq!(error.code(), Code::Internal, "{parent}");
        assert!(error.message().contains("users/*/operations/*"), "{error}");
        assert!(
            error.message().contains("ServiceSettings::parent"),
            "{error}"
        );
    }
    let other = server(|it| it.bind(ServiceSettings::new("google.example.v1.Other")));
    let error = other.start("", &["a"]).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(
        error.message().contains("OperationsBuilder::bind"),
        "{error}"
    );
    let default = server(|it| it.bind(ServiceSettings::new(SERVICE)));
    assert!(default.start("", &["a"]).await.is_ok());
    assert!(default.start("", &["parent=users/u"]).await.is_err());
    let open = server(|it| it);
    assert!(open.start("", &["parent=any/thing"]).await.is_ok());
}

#[tokio::test]
async fn names_that_no_service_has_are_not_found() {
    let server = server(|it| it.bind(exporter()));
    for method in [
        OperationsRpc::Get,
        OperationsRpc::Wait,
        OperationsRpc::Cancel,
        OperationsRpc::Delete,
    ] {
        for name in [
            "operations/1",
            "folders/f/operations/1",
            "users/u/operations/1",
        ] {
            let error = server.call(ANONYMOUS, method, name).await.unwrap_err();
            assert_eq!(error.code(), Code::NotFound, "{method} {name}");
        }
    }
    for parent in [
        "",
        "operations",
        "folders/f",
        "users",
        "-",
        "-/-",
        "users/u/v",
    ] {
        let error = server
            .call(ANONYMOUS, OperationsRpc::List, parent)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::NotFound, "{parent}");
    }
}

/// spec:80 spec:81 spec:82 spec:83 spec:85
#[tokio::test]
async fn lists_go_by_parent_with_and_without_the_collection() {
    let server = server(|it| it.bind(exporter()));
    let one = server.started("", "users/u").await;
    let other = server.started("", "users/v").await;
    let located = server.started("", "projects/p/locations/l").await;
    for (parent, expected) in [
        ("users/u", &[&one] as &[&String]),
        ("users/u/operations", &[&one]),
        ("users/-", &[&other, &one]),
        ("users/-/operations", &[&other, &one]),
        ("users/w", &[]),
        ("users/uu", &[]),
        ("projects/-/locations/-", &[&located]),
        ("projects/p/locations/-/operations", &[&located]),
        ("projects/q/locations/-", &[]),
    ] {
        let listed = server.listed(ANONYMOUS, parent).await.unwrap();
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{parent}");
    }
}

/// spec:6 spec:7
#[tokio::test]
async fn methods_are_switched_off_for_the_server_or_a_service() {
    for off in OperationsRpc::ALL {
        let whole = server(|it| it.disable(off));
        let service = server(|it| it.bind(exporter().disable(off)));
        for server in [whole, service] {
            assert!(!server.operations.describe().contains(off.as_str()));
            let name = server.started("", "users/u").await;
            for method in OperationsRpc::ALL {
                let name = match method {
                    OperationsRpc::List => "users/u",
                    _ => &name,
                };
                // Deleting is tried last.
                let answer = server.call(ANONYMOUS, method, name).await;
                assert_eq!(answer.is_err(), method == off, "{method} {answer:?}");
                if let Err(error) = answer {
                    assert_eq!(error.code(), Code::Unimplemented);
                }
            }
        }
    }
}

#[tokio::test]
async fn the_record_decides_between_services_that_share_names() {
    let other = ServiceSettings::new("google.example.v1.Other").parent("users/*".parse().unwrap());
    // One service offers it, so the name alone does not decide.
    let mine_off = server(|it| {
        let exporter = exporter()
            .disable(OperationsRpc::Get)
            .disable(OperationsRpc::List);
        it.bind(exporter).bind(other.clone())
    });
    let name = mine_off.started("", "users/u").await;
    let error = mine_off
        .call(ANONYMOUS, OperationsRpc::Get, &name)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    let listed = mine_off.listed(ANONYMOUS, "users/u").await.unwrap();
    assert!(
        listed.is_empty(),
        "the list is of the other service: {listed:?}"
    );
    let absent = "users/u/operations/1";
    let error = mine_off
        .call(ANONYMOUS, OperationsRpc::Get, absent)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::NotFound);

    let theirs_off = server(|it| it.bind(exporter()).bind(other.disable(OperationsRpc::Get)));
    let name = theirs_off.started("", "users/u").await;
    assert!(
        theirs_off
            .call(ANONYMOUS, OperationsRpc::Get, &name)
            .await
            .is_ok()
    );
    assert_eq!(
        theirs_off.listed(ANONYMOUS, "users/-").await.unwrap(),
        [name]
    );
}

#[tokio::test]
async fn a_service_that_left_takes_its_operations_out_of_sight() {
    let store = Arc::new(MemoryStore::new());
    let before = Server::new(Operations::new(Node::lagging(&store, 0)));
    let name = before.started("", "users/u").await;
    let other = ServiceSettings::new("google.example.v1.Other").parent("users/*".parse().unwrap());
    let after = Server::new(
        Operations::builder(Node::lagging(&store, 0))
            .bind(other)
            .build(),
    );
    let error = after
        .call(ANONYMOUS, OperationsRpc::Get, &name)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(after.listed(ANONYMOUS, "users/u").await.unwrap().is_empty());
}
