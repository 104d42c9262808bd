//! Page tokens through the service.

use std::sync::Arc;
use std::time::Duration;

use lro_core::Clock;
use lro_core::pb::ListOperationsRequest;
use lro_core::store::MemoryStore;
use lro_server::{Operations, OperationsBuilder, PageTokenKeys, ServiceSettings};
use lro_testing::ManualClock;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::access::fixture::{As, Policies, SERVICE, Server};
use crate::support::faulty::Node;

fn page(name: &str, filter: &str, page_token: &str) -> ListOperationsRequest {
    ListOperationsRequest {
        name: name.to_owned(),
        filter: filter.to_owned(),
        page_size: 1,
        page_token: page_token.to_owned(),
        return_partial_success: false,
    }
}

fn builder(store: &Arc<MemoryStore>) -> OperationsBuilder {
    let users = ServiceSettings::new(SERVICE).parent("users/*".parse().unwrap());
    let builder = Operations::builder(Node::lagging(store, 0)).bind(users);
    builder.authorizer(Policies::tenants())
}

async fn filled(server: &Server) {
    for user in ["ada", "bob"] {
        for _ in 0..3 {
            server.started(user, &format!("users/{user}")).await;
        }
    }
}

/// spec:95 spec:97
#[tokio::test]
async fn a_token_opens_no_other_list() {
    let server = Server::new(builder(&Arc::default()).build());
    filled(&server).await;
    let first = server
        .list(As("ada"), page("users/ada", "", ""))
        .await
        .unwrap();
    let token = first.next_page_token;
    let next = server
        .list(As("ada"), page("users/ada", "", &token))
        .await
        .unwrap();
    assert_eq!(next.operations.len(), 1);
    assert_ne!(next.operations, first.operations);
    let again = server
        .list(As("ada"), page("users/ada/operations", "", &token))
        .await;
    assert_eq!(
        again.unwrap().operations,
        next.operations,
        "the same parent, the same page"
    );
    for (who, name, filter, code) in [
        ("bob", "users/bob", "", Code::InvalidArgument),
        ("bob", "users/ada", "", Code::PermissionDenied),
        ("bob", "users/-", "", Code::PermissionDenied),
        ("ada", "users/ada", "done = false", Code::InvalidArgument),
        ("", "users/ada", "", Code::Unauthenticated),
    ] {
        let error = server
            .list(As(who), page(name, filter, &token))
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{who} {name}");
        if code == Code::InvalidArgument {
            let violations = error.get_details_bad_request().unwrap().field_violations;
            assert_eq!(violations[0].field, "page_token");
        }
    }
}

/// spec:98
#[tokio::test]
async fn tokens_survive_a_restart_with_and_without_keys() {
    for keys in [None, Some(PageTokenKeys::new([3; 32]))] {
        let store = Arc::default();
        let server = || {
            let builder = builder(&store);
            Server::new(match keys.clone() {
                Some(keys) => builder.page_token_keys(keys).build(),
                None => builder.build(),
            })
        };
        let before = server();
        filled(&before).await;
        let first = before
            .list(As("ada"), page("users/ada", "", ""))
            .await
            .unwrap();
        drop(before);
        let next = page("users/ada", "", &first.next_page_token);
        assert_eq!(
            server()
                .list(As("ada"), next)
                .await
                .unwrap()
                .operations
                .len(),
            1
        );
    }
}

/// report:W2
#[tokio::test]
async fn a_token_of_another_server_is_refused() {
    let server = |store: &Arc<MemoryStore>| Server::new(builder(store).build());
    let (store, other_store) = (Arc::default(), Arc::default());
    let (ours, replica, other) = (server(&store), server(&store), server(&other_store));
    for server in [&ours, &other] {
        filled(server).await;
    }
    let first = ours.list(As("ada"), page("users/ada", "", "")).await;
    let next = page("users/ada", "", &first.unwrap().next_page_token);
    let error = other.list(As("ada"), next.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let violations = error.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "page_token");
    replica.list(As("ada"), next.clone()).await.unwrap();
    // Keys of one's own take the place of the store's.
    let keys = PageTokenKeys::new([3; 32]);
    let own = Server::new(builder(&store).page_token_keys(keys.clone()).build());
    own.list(As("ada"), next).await.unwrap_err();
    let first = own.list(As("ada"), page("users/ada", "", "")).await;
    let next = page("users/ada", "", &first.unwrap().next_page_token);
    let shared = Server::new(builder(&other_store).page_token_keys(keys).build());
    shared.list(As("ada"), next.clone()).await.unwrap();
    ours.list(As("ada"), next).await.unwrap_err();
}

/// report:W2
#[tokio::test]
async fn a_store_that_fails_to_give_its_key_fails_the_list_and_is_asked_again() {
    let store = Arc::new(MemoryStore::new());
    let node = Node::lagging(&store, 0);
    let server = Server::new(Operations::new(node.clone()));
    for _ in 0..2 {
        server.started("", "").await;
    }
    node.set_keyless(true);
    let error = server.list(As(""), page("", "", "")).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    node.set_keyless(false);
    let first = server.list(As(""), page("", "", "")).await.unwrap();
    let next = page("", "", &first.next_page_token);
    server.list(As(""), next).await.unwrap();
}

/// spec:100
#[tokio::test]
async fn an_old_token_is_refused() {
    let clock = Arc::new(ManualClock::new());
    let operations = builder(&Arc::default()).clock(clock.clone()).build();
    let server = Server::new(operations);
    filled(&server).await;
    let first = server
        .list(As("ada"), page("users/ada", "", ""))
        .await
        .unwrap();
    let next = page("users/ada", "", &first.next_page_token);
    clock.advance(Duration::from_secs(3 * 24 * 60 * 60));
    assert!(server.list(As("ada"), next.clone()).await.is_ok());
    clock.advance(Duration::from_secs(1));
    assert!(clock.now() > lro_core::Timestamp::EPOCH);
    let error = server.list(As("ada"), next).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
}
