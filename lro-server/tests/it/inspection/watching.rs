use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use lro_core::inspection::inspection_server::Inspection as _;
use lro_core::inspection::operation_record::State;
use lro_core::inspection::{WatchOperationsRequest, WatchOperationsResponse};
use lro_core::store::MemoryStore;
use lro_server::Operations;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::inspection::{name_of, service};
use crate::support::{Exporter, exported, name};

type Messages = BoxStream<'static, Result<WatchOperationsResponse, Status>>;

async fn watch(
    operations: &Operations,
    request: WatchOperationsRequest,
) -> Result<Messages, Status> {
    let inspection = service(operations);
    let answer = inspection.watch_operations(Request::new(request));
    Ok(answer.await?.into_inner())
}

async fn next(messages: &mut Messages) -> WatchOperationsResponse {
    messages.next().await.unwrap().unwrap()
}

fn states(message: &WatchOperationsResponse) -> Vec<(&str, State)> {
    let records = message.operations.iter();
    records.map(|it| (name_of(it), it.state())).collect()
}

fn names(names: &[&str]) -> WatchOperationsRequest {
    WatchOperationsRequest {
        names: names.iter().copied().map(str::to_owned).collect(),
        ..Default::default()
    }
}

#[tokio::test]
async fn named_operations_are_watched_until_all_have_ended() {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let first = exporter.call(&["a"]).await.unwrap();
    let second = exporter.call(&["b"]).await.unwrap();
    let wanted = names(&[first.name(), second.name(), "operations/unknown"]);
    let mut messages = watch(&operations, wanted).await.unwrap();
    let begin = next(&mut messages).await;
    assert!(begin.resync);
    assert_eq!(begin.operations.len(), 2);
    assert_eq!(begin.removed, ["operations/unknown"]);
    operations.cancel(&name(&first)).await.unwrap();
    let message = next(&mut messages).await;
    assert_eq!(states(&message), [(first.name(), State::Cancelled)]);
    assert!(!message.resync);
    operations.delete(&name(&second)).await.unwrap();
    let message = next(&mut messages).await;
    assert_eq!(message.removed, [second.name()]);
    assert!(messages.next().await.is_none(), "nothing is left to watch");
}

#[tokio::test]
async fn a_filter_is_watched_with_what_starts_later() {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let first = exporter.call(&["env=prod"]).await.unwrap();
    let request = WatchOperationsRequest {
        filter: "labels.env = prod AND done = false".into(),
        ..Default::default()
    };
    let mut messages = watch(&operations, request).await.unwrap();
    let begin = next(&mut messages).await;
    assert_eq!(states(&begin), [(first.name(), State::Pending)]);
    // Of another environment: not watched.
    let other = exporter.call(&["env=test"]).await.unwrap();
    let second = exporter.call(&["env=prod"]).await.unwrap();
    let message = next(&mut messages).await;
    assert_eq!(states(&message), [(second.name(), State::Pending)]);
    operations.cancel(&name(&other)).await.unwrap();
    operations.cancel(&name(&first)).await.unwrap();
    let message = next(&mut messages).await;
    assert_eq!(message.removed, [first.name()], "it does not match now");
    assert!(message.operations.is_empty());
    operations.close();
    let end = messages.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::Unavailable);
    assert_eq!(
        end.get_details_error_info().unwrap().reason,
        "SHUTTING_DOWN"
    );
    assert!(messages.next().await.is_none());
}

#[tokio::test]
async fn a_watch_of_changes_begins_without_operations() {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let first = exporter.call(&["a"]).await.unwrap();
    let request = WatchOperationsRequest {
        only_changes: true,
        ..Default::default()
    };
    let mut messages = watch(&operations, request).await.unwrap();
    let begin = next(&mut messages).await;
    assert!(begin.resync && begin.operations.is_empty());
    operations.cancel(&name(&first)).await.unwrap();
    let message = next(&mut messages).await;
    assert_eq!(states(&message), [(first.name(), State::Cancelled)]);
}

#[tokio::test]
async fn malformed_watches_name_the_field() {
    let operations = Operations::new(MemoryStore::new());
    let both = WatchOperationsRequest {
        filter: "done = true".into(),
        ..names(&["operations/1"])
    };
    let many: Vec<_> = (0..1_001).map(|id| format!("operations/{id}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let filter = WatchOperationsRequest {
        filter: "colour = red".into(),
        ..Default::default()
    };
    for (request, field) in [
        (both, "names"),
        (names(&many), "names"),
        (names(&["no name"]), "name"),
        (filter, "filter"),
    ] {
        let error = watch(&operations, request).await.err().unwrap();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        let violations = error.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field);
    }
}
