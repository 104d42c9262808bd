// Properties of every `grpc-timeout`; shared with the fuzz target.

use std::convert::Infallible;
use std::time::Duration;

use lro_core::pb::operations_server::Operations as _;
use lro_core::pb::{self, WaitOperationRequest};
use lro_core::store::{MemoryStore, NewOperation, OperationStore as _};
use lro_server::serve::DeadlineLayer;
use lro_server::{Deadline, Limits, Operations, OperationsService};
use tokio::time::Instant;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tower::{Layer as _, ServiceExt as _, service_fn};

const NAME: &str = "operations/1";

/// Makes two calls with this header: through the layer of deadlines, and one that waits for an
/// operation which never ends.
///
/// # Panics
///
/// When the header is understood in another way than gRPC's words say.
pub(crate) fn ask(header: &[u8]) {
    let Ok(value) = http::HeaderValue::from_bytes(header) else {
        return;
    };
    let timeout = timeout(header);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("there is a runtime");
    runtime.block_on(async {
        assert_eq!(deadline(value).await, timeout, "{header:?}");
        let Ok(value) = MetadataValue::try_from(header) else {
            return;
        };
        let begun = Instant::now();
        let mut request = Request::new(WaitOperationRequest {
            name: NAME.to_owned(),
            timeout: None,
        });
        request.metadata_mut().insert("grpc-timeout", value);
        let waited = service().await.wait_operation(request).await;
        let operation: pb::Operation = waited.expect("it is there").into_inner();
        assert!(!operation.done);
        let expected = timeout.map_or(Limits::default().max_wait, held);
        // Timers have milliseconds.
        let late = begun.elapsed().checked_sub(expected);
        let late = late.unwrap_or_else(|| panic!("{header:?}: before {expected:?}"));
        assert!(
            late <= Duration::from_millis(2),
            "{header:?}: {late:?} late"
        );
    });
}

/// How long a call may be held: until a tenth of its time is left, at least 10 ms and at most 1 s.
fn held(timeout: Duration) -> Duration {
    let margin = (timeout / 10).clamp(Duration::from_millis(10), Duration::from_secs(1));
    let held = timeout.saturating_sub(margin);
    held.min(Limits::default().max_wait)
}

/// "at most 8 digits" and a unit, as gRPC over HTTP/2 has it; whatever else is none.
fn timeout(header: &[u8]) -> Option<Duration> {
    let (unit, digits) = header.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanos: u64 = match unit {
        b'n' => 1,
        b'u' => 1_000,
        b'm' => 1_000_000,
        b'S' => 1_000_000_000,
        b'M' => 60 * 1_000_000_000,
        b'H' => 60 * 60 * 1_000_000_000,
        _ => return None,
    };
    let digit = |count: u32, digit: &u8| count * 10 + u32::from(digit - b'0');
    Some(Duration::from_nanos(nanos) * digits.iter().fold(0, digit))
}

async fn deadline(header: http::HeaderValue) -> Option<Duration> {
    let seen = service_fn(async |request: http::Request<()>| {
        let deadline = request.extensions().get::<Deadline>();
        let left = deadline.map(|deadline| deadline.remaining());
        let answer = tonic::body::Body::empty();
        let mut answer = http::Response::new(answer);
        answer.extensions_mut().insert(left);
        Ok::<_, Infallible>(answer)
    });
    let mut request = http::Request::new(());
    request.headers_mut().insert("grpc-timeout", header);
    let layered = DeadlineLayer::new().layer(seen);
    // A deadline that is over already ends the call before the handler is asked.
    match layered.oneshot(request).await {
        Ok(answer) => match answer.extensions().get::<Option<Duration>>() {
            Some(left) => *left,
            None => Some(Duration::ZERO),
        },
    }
}

async fn service() -> OperationsService {
    let store = MemoryStore::new();
    let name = NAME.parse().expect("it is a name");
    let new = NewOperation::new(uuid::Uuid::from_u128(1), name, "/s.S/M", Default::default());
    store.start(vec![new]).await.expect("the store works");
    Operations::new(store).into()
}
