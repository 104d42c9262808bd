//! One call: its tries, and the headers and the time limit of each.

use std::time::Duration;

use lro_core::OperationsRpc;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

use super::CallSettings;
use super::config::Config;
use super::headers::{API_CLIENT, REQUEST_PARAMS, request_params};
use super::token::bearer;
use crate::policy::retry_delay;

/// The longest duration of protobuf, about 10,000 years.
pub(super) const DURATION_MAX: Duration = Duration::from_secs(315_576_000_000);

/// The shortest time limit that is sent, and that the first try of a call has: servers round a
/// shorter `grpc-timeout` down to 0.
const LIMIT_MIN: Duration = Duration::from_millis(1);

/// Makes a call as often as the settings say.
pub(super) async fn retried<T, F>(
    settings: &CallSettings,
    attempt: impl Fn() -> F,
) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    for index in 0..settings.attempts.saturating_sub(1) {
        match attempt().await {
            Err(status) => match pause(settings, &status, index) {
                Some(pause) => {
                    tracing::debug!(%status, ?pause, "call failed; the client retries");
                    tokio::time::sleep(pause).await;
                }
                None => return Err(status),
            },
            answer => return answer,
        }
    }
    attempt().await
}

/// The pause before the next try; `None` if there is none.
fn pause(settings: &CallSettings, status: &Status, index: u32) -> Option<Duration> {
    let pause = settings.backoff.delay(index);
    match retry_delay(status) {
        Some(delay) if delay <= settings.backoff.max() => Some(pause.max(delay)),
        // The server asks for more patience than a call has. A poller has it.
        Some(_) => None,
        None => settings
            .retry_codes
            .contains(&status.code())
            .then_some(pause),
    }
}

/// Makes a call that ends after `limit`, on whichever side, with DEADLINE_EXCEEDED.
pub(super) async fn call<Q, T, F>(
    config: &Config,
    method: OperationsRpc,
    name: &str,
    limit: Duration,
    message: Q,
    send: impl FnOnce(Request<Q>) -> F,
) -> Result<T, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let limit = limit.clamp(LIMIT_MIN, DURATION_MAX);
    let started = Instant::now();
    let mut request = Request::new(message);
    let headers = request.metadata_mut();
    headers.insert(API_CLIENT, config.api_client.clone());
    if let Some(params) = request_params(name) {
        headers.insert(REQUEST_PARAMS, params);
    }
    let answered = async {
        if let Some(tokens) = &config.tokens {
            let scopes: Vec<&str> = config.scopes.iter().map(String::as_str).collect();
            let token = tokens.token(&scopes).await?;
            request
                .metadata_mut()
                .insert("authorization", bearer(&token)?);
        }
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(late(limit));
        }
        request.set_timeout(left.max(LIMIT_MIN));
        send(request).await
    };
    match tokio::time::timeout(limit, answered).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) if ran_out_of_time(&status, started.elapsed() >= limit) => Err(late(limit)),
        Ok(Err(status)) if lacks_service(method, &status) => Err(unimplemented(method, &status)),
        Ok(Err(status)) => Err(status),
        Err(_) => Err(late(limit)),
    }
}

fn late(limit: Duration) -> Status {
    Status::deadline_exceeded(format!("no answer within {limit:?}"))
}

/// Whether it is the answer of a server, or a router, that does not know the service. Every server
/// of operations has GetOperation; of the other methods, it may have said what it does instead.
fn lacks_service(method: OperationsRpc, status: &Status) -> bool {
    let is_unexplained = method == OperationsRpc::Get || status.message().is_empty();
    status.code() == Code::Unimplemented && is_unexplained
}

/// Adds the missing method to the message, which many servers leave empty.
fn unimplemented(method: OperationsRpc, status: &Status) -> Status {
    let rpc = method.name();
    let cause = match (method, status.message()) {
        (OperationsRpc::Get, "") => {
            "the server has no service google.longrunning.Operations".to_owned()
        }
        (OperationsRpc::Get, said) => {
            format!("the server has no service google.longrunning.Operations, it says `{said}`")
        }
        _ => {
            "the server has no such method, or no service google.longrunning.Operations".to_owned()
        }
    };
    let message = format!(
        "{rpc} is not implemented: {cause}; add that service to the server, \
         or make the OperationsClient over a channel to the server that has it"
    );
    let (details, metadata) = (status.details().to_vec(), status.metadata().clone());
    Status::with_details_and_metadata(status.code(), message, details.into(), metadata)
}

/// Whether the status is tonic's report of a passed time limit: both its channel and its server use
/// CANCELLED.
fn ran_out_of_time(status: &Status, late: bool) -> bool {
    let words = tonic::TimeoutExpired(()).to_string();
    status.code() == Code::Cancelled && (late || status.message() == words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_answer_is_a_deadline_exceeded() {
        let started = Instant::now();
        let limit = Duration::from_secs(3);
        let never = |_| std::future::pending::<Result<Response<()>, Status>>();
        let error = call(
            &Config::default(),
            OperationsRpc::Get,
            "n",
            limit,
            (),
            never,
        )
        .await
        .unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded);
        assert_eq!(error.message(), "no answer within 3s");
        assert_eq!(started.elapsed(), limit);
    }

    #[tokio::test(start_paused = true)]
    async fn tonics_own_time_limit_differs_from_a_cancelled_call() {
        for (message, after, code) in [
            ("Timeout expired", 1, Code::DeadlineExceeded),
            ("stream reset", 3, Code::DeadlineExceeded),
            ("stream reset", 1, Code::Cancelled),
        ] {
            let answer = |_| async move {
                tokio::time::sleep(Duration::from_secs(after)).await;
                Err::<Response<()>, _>(Status::cancelled(message))
            };
            let error = call(
                &Config::default(),
                OperationsRpc::Get,
                "n",
                Duration::from_secs(3),
                (),
                answer,
            )
            .await;
            assert_eq!(error.unwrap_err().code(), code, "{message} after {after} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_is_too_long() {
        let answer = |_| async { Ok(Response::new(())) };
        call(
            &Config::default(),
            OperationsRpc::Get,
            "n",
            Duration::MAX,
            (),
            answer,
        )
        .await
        .unwrap();
    }
}
