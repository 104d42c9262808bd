//! WaitOperation.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::MemoryStore;
use lro_core::{ListOptions, ParentPattern, pb};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::support;
use crate::support::faulty::Node;
use crate::support::{exported, name, start, start_on};

/// spec:49 spec:50 spec:51 spec:52 spec:53
#[tokio::test(start_paused = true)]
async fn a_wait_ends_before_every_limit_with_ok() {
    let (operations, exporter, _worker) = start(async |_, _| pending().await).await;
    let started = exporter.call(&["a"]).await.unwrap();
    let mut service = pb::operations_client::OperationsClient::new(operations.service());
    for (asked, grpc_timeout, expected) in [
        (Some(0), None, 0),
        (Some(300), None, 300),
        (Some(300), Some("5S"), 300),
        (Some(50_000), Some("5S"), 4_500),
        (None, Some("100m"), 90),
        (None, Some("600S"), 60_000),
        (None, None, 60_000),
    ] {
        let mut request = Request::new(pb::WaitOperationRequest {
            name: started.name().to_owned(),
            timeout: asked.map(|millis: u64| {
                prost_types::Duration::try_from(Duration::from_millis(millis)).unwrap()
            }),
        });
        if let Some(limit) = grpc_timeout {
            let metadata = request.metadata_mut();
            metadata.insert("grpc-timeout", limit.parse().unwrap());
        }
        let begun = Instant::now();
        let seen = service.wait_operation(request).await.unwrap().into_inner();
        assert!(!seen.done);
        let took = begun.elapsed().as_millis();
        assert_eq!(took, expected, "{asked:?} {grpc_timeout:?}");
    }
}

/// spec:48 spec:54
#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_operation_does() {
    let (release, released) = oneshot::channel::<()>();
    let released = Arc::new(tokio::sync::Mutex::new(released));
    let (operations, exporter, _worker) = start(move |_, _| {
        let released = released.clone();
        async move {
            (&mut *released.lock().await).await.ok();
            Ok(exported(1))
        }
    })
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let waiters: Vec<_> = (0..50)
        .map(|_| {
            let (operations, name) = (operations.clone(), name(&started));
            tokio::spawn(async move { operations.wait(&name, None).await.unwrap().done })
        })
        .collect();
    tokio::task::yield_now().await;
    let begun = Instant::now();
    release.send(()).unwrap();
    for waiter in waiters {
        assert!(waiter.await.unwrap());
    }
    assert!(operations.wait(&name(&started), None).await.unwrap().done);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

/// spec:55
#[tokio::test(start_paused = true)]
async fn a_waiter_on_the_same_node_gets_the_result() {
    const WAITERS: usize = 50;
    let node = Node::lagging(&Arc::new(MemoryStore::new()), 3);
    let release = Arc::new(Notify::new());
    let released = release.clone();
    let (operations, exporter, _worker) = start_on(
        node.clone(),
        |builder| builder,
        move |_, _| {
            let released = released.clone();
            async move {
                released.notified().await;
                Ok(exported(7))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let waiters: Vec<_> = (0..WAITERS)
        .map(|_| {
            let (operations, name) = (operations.clone(), name(&started));
            tokio::spawn(async move { operations.wait(&name, None).await.unwrap() })
        })
        .collect();
    let mut gets = node.gets.subscribe();
    gets.wait_for(|gets| *gets == WAITERS).await.unwrap();
    release.notify_one();
    let mut answers = Vec::new();
    for waiter in waiters {
        answers.push(waiter.await.unwrap());
    }
    assert_eq!(*gets.borrow(), WAITERS, "each has read once, when it came");
    let read = operations.get(&name(&started)).await.unwrap();
    assert!(read.done);
    assert_eq!(answers, vec![read; WAITERS]);
}

/// spec:56 spec:57
#[tokio::test(start_paused = true)]
async fn an_operation_that_goes_is_not_found() {
    let (operations, exporter, _worker) = start(async |_, _| pending().await).await;
    let unknown = operations
        .wait(&"operations/x".parse().unwrap(), None)
        .await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    let started = exporter.call(&["a"]).await.unwrap();
    let waiter = tokio::spawn({
        let (operations, name) = (operations.clone(), name(&started));
        async move { operations.wait(&name, None).await.unwrap_err().code() }
    });
    tokio::task::yield_now().await;
    operations.delete(&name(&started)).await.unwrap();
    assert_eq!(waiter.await.unwrap(), Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn closing_answers_those_who_wait() {
    let (operations, exporter, _worker) = start(async |_, _| pending().await).await;
    let started = exporter.call(&["a"]).await.unwrap();
    let waiter = tokio::spawn({
        let (operations, name) = (operations.clone(), name(&started));
        async move { operations.wait(&name, None).await.unwrap().done }
    });
    tokio::task::yield_now().await;
    let begun = Instant::now();
    operations.close();
    assert!(!waiter.await.unwrap());
    assert!(begun.elapsed() < Duration::from_secs(1));
}

/// spec:93 spec:99
#[tokio::test(start_paused = true)]
async fn lists_page_newest_first_and_refuse_foreign_tokens() {
    let (operations, exporter, _worker) = start(async |_, _| Ok(exported(1))).await;
    for id in 0..5 {
        exporter
            .call(&[&format!("operation_id={id}")])
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = operations
            .list(
                ParentPattern::default(),
                &ListOptions::new().page_size(2).page_token(&token),
            )
            .await
            .unwrap();
        seen.extend(page.operations.into_iter().map(|operation| operation.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        let other = "projects/p".parse().unwrap();
        let foreign = operations
            .list(other, &ListOptions::new().page_size(2).page_token(&token))
            .await
            .unwrap_err();
        assert_eq!(foreign.code(), Code::InvalidArgument);
    }
    assert_eq!(seen, [4, 3, 2, 1, 0].map(|id| format!("operations/{id}")));
}

/// spec:92 spec:94 spec:124
#[tokio::test(start_paused = true)]
async fn filters_choose_and_are_checked() {
    let (operations, exporter, _worker) = start(async |_, _| Ok(exported(1))).await;
    for id in 0..700 {
        let (id, team) = (format!("operation_id={id}"), format!("team={}", id % 350));
        let started = exporter.call(&[&id, &team]).await.unwrap();
        support::wait(&operations, &started).await;
    }
    let list = async |filter: &str, page_size, token: &str| {
        let root = ParentPattern::default();
        operations
            .list(
                root,
                &ListOptions::new()
                    .filter(filter)
                    .page_size(page_size)
                    .page_token(token),
            )
            .await
    };
    let mut seen = Vec::new();
    let mut token = String::new();
    for page_size in [1, 5, 5, 5, 5] {
        let filter = "labels.team = \"7\" AND done = true";
        let page = list(filter, page_size, &token).await.unwrap();
        seen.extend(page.operations.into_iter().map(|operation| operation.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["operations/357", "operations/7"]);
    assert!(token.is_empty());
    let bad = list("done = 1", 0, "").await.unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument);
    let violations = bad.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "filter");
}

/// spec:101
#[tokio::test(start_paused = true)]
async fn a_rare_match_costs_short_pages_not_a_long_call() {
    let (operations, exporter, _worker) = start(async |_, _| Ok(exported(1))).await;
    for id in 0..4_500 {
        let id = format!("operation_id={id}");
        exporter.call(&[&id]).await.unwrap();
    }
    let (mut pages, mut seen, mut token) = (0, Vec::new(), String::new());
    loop {
        let root = ParentPattern::default();
        let filter = "name = \"operations/0\"";
        let page = operations
            .list(
                root,
                &ListOptions::new()
                    .filter(filter)
                    .page_size(10)
                    .page_token(&token),
            )
            .await
            .unwrap();
        pages += 1;
        seen.extend(page.operations.into_iter().map(|operation| operation.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((pages, seen), (3, vec!["operations/0".to_owned()]));
}
