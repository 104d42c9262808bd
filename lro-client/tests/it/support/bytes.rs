// A server that answers every call with the same bytes, and everything a caller can do with them.
// Also included by the fuzz target.

use std::convert::Infallible;
use std::fmt::Debug;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::Full;
use lro_client::{Operation, OperationsClient, Poller, PollerSet, PollingResult};
use prost::{Message, Name};
use prost_types::{Any, Duration as Metadata, Timestamp};
use tonic::body::Body;

pub(crate) const NAME: &str = "operations/1";

/// The typed view of them, and a poller's, a stream's and a set's way with them.
///
/// # Panics
///
/// When one of these is not as it should be.
pub(crate) fn wait_for(bytes: &[u8]) {
    look::<Timestamp, Metadata>(bytes);
    look::<(), Any>(bytes);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("there is a runtime");
    runtime.block_on(ask::<Timestamp, Metadata>(bytes));
    runtime.block_on(ask::<(), Any>(bytes));
}

fn look<R, M>(bytes: &[u8])
where
    R: Message + Name + Default + Debug + 'static,
    M: Message + Name + Default + Debug + 'static,
{
    let Ok(operation) = Operation::<R, M>::decode(bytes) else {
        return;
    };
    let again = Operation::<R, M>::decode(&*operation.encode_to_vec());
    assert!(again.is_ok_and(|again| again == operation));
    let _ = format!("{operation:?} {:?}", operation.metadata());
    if let Ok(outcome) = operation.outcome() {
        let has_result = operation.as_inner().result.is_some();
        assert_eq!(outcome.is_done(), has_result || operation.done());
        assert_eq!(outcome.error().as_ref(), operation.error());
    }
}

async fn ask<R, M>(bytes: &[u8])
where
    R: Message + Name + Default + Debug + 'static,
    M: Message + Name + Default + Debug + 'static,
{
    let operations = client(bytes);
    let limit = Duration::from_secs(100);
    let poller = || Poller::<R, M>::resume(NAME, &operations).time_limit(limit);
    let decoded = Operation::<R, M>::decode(bytes);

    let ended = poller().until_done().await;
    match (&decoded, &ended) {
        (Ok(operation), Ok(_)) => assert!(operation.done() && operation.error().is_none()),
        (Ok(operation), Err(error)) => {
            assert_eq!(error.is_timeout(), !operation.done(), "{error}");
            assert_eq!(error.is_failed() || error.is_cancelled(), {
                operation.done() && operation.error().is_some()
            });
        }
        (Err(_), Ok(_)) => panic!("a response out of nothing"),
        (Err(_), Err(error)) => assert!(error.is_poll_failed(), "{error}"),
    }
    if let Err(error) = ended {
        assert_eq!(error.name(), NAME);
        let text = format!("{error:?} {:?} {:?}", error.details(), error.code());
        assert!(!error.to_string().contains(char::is_control), "{text}");
        let _ = tonic::Status::from(error);
    }

    let mut watched = poller();
    let mut updates = 0;
    while let Some(update) = watched.next_update().await {
        updates += 1;
        assert!(updates < 1_000, "the same news again and again: {update:?}");
        let _ = watched.metadata();
    }
    let _ = matches!(poller().poll().await, PollingResult::PollingError(_));

    let mut set = PollerSet::new(&operations).list_from(1);
    set.push(poller());
    let (name, _) = set.next().await.expect("the set has one");
    assert_eq!(name, NAME);
}

/// The answer to WaitOperation is UNIMPLEMENTED, or else early answers would be paced for long.
fn client(bytes: &[u8]) -> OperationsClient {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(bytes.len()).expect("it is short"));
    frame.put_slice(bytes);
    let frame = frame.freeze();
    let answer = move |request: http::Request<Body>| {
        let waits = request.uri().path().ends_with("/WaitOperation");
        let (status, body) = match waits {
            true => ("12", Bytes::new()),
            false => ("0", frame.clone()),
        };
        let response = http::Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", status)
            .body(Full::new(body));
        std::future::ready(Ok::<_, Infallible>(response.expect("it is well formed")))
    };
    OperationsClient::new(tower::service_fn(answer))
}
