//! WaitOperation.

mod support;

use std::future::pending;
use std::time::Duration;

use lro_core::{ParentName, pb};
use support::{exported, name, start};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::{Code, Request};

#[tokio::test(start_paused = true)]
async fn spec_049_050_052_053_a_wait_ends_before_every_limit_with_ok() {
    let (operations, exporter, _worker) = start(async |_, _| pending().await).await;
    let started = exporter.call(&["a"]).await.unwrap();
    let mut service = pb::operations_client::OperationsClient::new(operations.server());
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

#[tokio::test(start_paused = true)]
async fn spec_048_054_a_wait_ends_when_the_operation_does() {
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Arc::new(tokio::sync::Mutex::new(released));
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

#[tokio::test(start_paused = true)]
async fn spec_056_057_an_operation_that_goes_is_not_found() {
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

#[tokio::test(start_paused = true)]
async fn spec_093_099_lists_page_newest_first_and_refuse_foreign_tokens() {
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
            .list(ParentName::default(), "", 2, &token)
            .await
            .unwrap();
        seen.extend(page.operations.into_iter().map(|operation| operation.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        let other = "projects/p".parse().unwrap();
        let foreign = operations.list(other, "", 2, &token).await.unwrap_err();
        assert_eq!(foreign.code(), Code::InvalidArgument);
    }
    assert_eq!(seen, [4, 3, 2, 1, 0].map(|id| format!("operations/{id}")));
    let filtered = operations
        .list(ParentName::default(), "done = true", 0, "")
        .await;
    assert_eq!(
        filtered.unwrap_err().code(),
        Code::InvalidArgument,
        "spec_124"
    );
}
