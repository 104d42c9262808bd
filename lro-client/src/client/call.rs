//! One try of one call: its headers, and its time limit.

use std::time::Duration;

use tokio::time::Instant;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status};

/// The longest duration there is in protobuf; about 10,000 years.
pub(crate) const DURATION_MAX: Duration = Duration::from_secs(315_576_000_000);

/// What routers in front of a server read.
const REQUEST_PARAMS: &str = "x-goog-request-params";

/// Makes a call that ends after `limit`, on whichever side, with DEADLINE_EXCEEDED.
pub(crate) async fn call<Q, T, F>(
    name: &str,
    limit: Duration,
    message: Q,
    send: impl FnOnce(Request<Q>) -> F,
) -> Result<T, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let limit = limit.min(DURATION_MAX);
    let mut request = Request::new(message);
    request.set_timeout(limit);
    // Percent-encoded, it is always ASCII.
    if let Ok(params) = MetadataValue::try_from(format!("name={}", percent_encoded(name))) {
        request.metadata_mut().insert(REQUEST_PARAMS, params);
    }
    let started = Instant::now();
    match tokio::time::timeout(limit, send(request)).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) if ran_out_of_time(&status, started.elapsed() >= limit) => Err(late(limit)),
        Ok(Err(status)) => Err(status),
        Err(_) => Err(late(limit)),
    }
}

fn late(limit: Duration) -> Status {
    Status::deadline_exceeded(format!("no answer within {limit:?}"))
}

/// Whether it is tonic's way of saying that the time was up, which both its channel and its
/// server do with CANCELLED.
fn ran_out_of_time(status: &Status, late: bool) -> bool {
    let words = tonic::TimeoutExpired(()).to_string();
    status.code() == Code::Cancelled && (late || status.message() == words)
}

/// Everything but the unreserved characters of RFC 3986 as `%XX`.
fn percent_encoded(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_the_header() {
        for (name, encoded) in [
            ("operations/1", "operations%2F1"),
            ("a-b_c.d~E9", "a-b_c.d~E9"),
            ("operations/ü &\n", "operations%2F%C3%BC%20%26%0A"),
            ("", ""),
        ] {
            assert_eq!(percent_encoded(name), encoded);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_is_a_deadline_exceeded() {
        let started = Instant::now();
        let limit = Duration::from_secs(3);
        let never = |_| std::future::pending::<Result<Response<()>, Status>>();
        let error = call("n", limit, (), never).await.unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded);
        assert_eq!(error.message(), "no answer within 3s");
        assert_eq!(started.elapsed(), limit);
    }

    #[tokio::test(start_paused = true)]
    async fn tonics_own_time_limit_is_told_from_a_cancelled_call() {
        for (message, after, code) in [
            ("Timeout expired", 1, Code::DeadlineExceeded),
            ("stream reset", 3, Code::DeadlineExceeded),
            ("stream reset", 1, Code::Cancelled),
        ] {
            let answer = |_| async move {
                tokio::time::sleep(Duration::from_secs(after)).await;
                Err::<Response<()>, _>(Status::cancelled(message))
            };
            let error = call("n", Duration::from_secs(3), (), answer).await;
            assert_eq!(error.unwrap_err().code(), code, "{message} after {after} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_is_too_long() {
        let answer = |_| async { Ok(Response::new(())) };
        call("n", Duration::MAX, (), answer).await.unwrap();
    }
}
