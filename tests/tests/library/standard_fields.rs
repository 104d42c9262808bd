//! The standard fields of requests and metadata are the engine's care.

use lro_client::ListOptions;
use lro_core::Operation;
use lro_tests::library::{CreateShelfRequest, OperationMetadata, Shelf};
use tonic::Code;

use crate::Fixture;

type Creation = Operation<Shelf, OperationMetadata>;

pub(crate) fn request(request_id: &str, validate_only: bool) -> CreateShelfRequest {
    CreateShelfRequest {
        parent: "libraries/one".into(),
        shelf: Some(Shelf {
            name: "poems".into(),
        }),
        request_id: request_id.into(),
        validate_only,
    }
}

async fn create(it: &mut Fixture, request: CreateShelfRequest) -> Creation {
    let started = it.library.create_shelf(request).await.unwrap();
    started.into_inner()
}

fn metadata(operation: &Creation) -> OperationMetadata {
    operation.metadata().unwrap().expect("metadata")
}

#[tokio::test]
async fn the_same_request_id_is_the_same_operation() {
    let mut it = Fixture::start().await;
    let first = create(&mut it, request("a", false)).await;
    let again = create(&mut it, request("a", false)).await;
    let other = create(&mut it, request("b", false)).await;
    let none = create(&mut it, request("", false)).await;
    let none_again = create(&mut it, request("", false)).await;
    assert_eq!(first.name(), again.name());
    assert_ne!(first.name(), other.name());
    assert_ne!(none.name(), none_again.name());

    let mut different = request("a", false);
    different.shelf = None;
    let refused = it.library.create_shelf(different).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

/// spec:39
#[tokio::test]
async fn validate_only_is_done_and_kept_nowhere() {
    let mut it = Fixture::start().await;
    let validated = create(&mut it, request("a", true)).await;
    assert!(validated.done());
    assert_eq!(validated.name(), "");
    assert_eq!(
        validated.outcome().unwrap().response().unwrap(),
        Shelf::default()
    );
    let listed = it.operations.list("", &ListOptions::default()).await;
    assert!(listed.unwrap().operations.is_empty());

    // Its request id is still free.
    let started = create(&mut it, request("a", false)).await;
    assert_ne!(started.name(), "");
}

#[tokio::test]
async fn metadata_is_filled_in_while_it_runs_and_at_the_end() {
    let mut it = Fixture::start().await;
    let started = create(&mut it, request("", false)).await;
    it.desk.started.notified().await;
    let running = metadata(&it.get(&started).await);
    assert!(running.create_time.is_some());
    assert!(running.start_time.is_some());
    assert_eq!(running.end_time, None);
    assert_eq!(running.target, "libraries/one");
    assert_eq!(running.verb, "create");
    assert_eq!(running.api_version, "v1");
    assert!(!running.requested_cancellation);

    it.desk.open.add_permits(1);
    let ended = metadata(&it.end(&started).await);
    assert!(ended.end_time.is_some());
    assert_eq!(ended.percent, 50);
    assert_eq!(ended.verb, "create");
    assert_eq!(ended.create_time, running.create_time);
    assert!(!ended.requested_cancellation);
}

#[tokio::test]
async fn metadata_tells_of_a_cancellation() {
    let mut it = Fixture::start().await;
    let started = create(&mut it, request("", false)).await;
    it.desk.started.notified().await;
    it.operations.cancel(started.name()).await.unwrap();
    let cancelled = metadata(&it.get(&started).await);
    assert!(cancelled.requested_cancellation);
    let ended = it.end(&started).await;
    assert_eq!(
        ended.error().map(|it| it.code),
        Some(Code::Cancelled as i32)
    );
    let ended = metadata(&ended);
    assert!(ended.requested_cancellation);
    assert!(ended.end_time.is_some());
}
