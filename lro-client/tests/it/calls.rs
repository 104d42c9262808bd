//! The calls of `OperationsClient`: their headers, time limits and retries.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use lro_client::{
    CallSettings, ExponentialBackoff, ListOptions, OperationsClient, OperationsRpc, TokenProvider,
};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::support::{Fake, NAME, running, succeeded};

#[tokio::test(start_paused = true)]
async fn every_call_has_its_headers() {
    let fake = Fake::script(vec![Ok(succeeded())]);
    let client = fake.client();
    assert_eq!(client.get(NAME).await.unwrap(), succeeded());
    client.cancel(NAME).await.unwrap();
    client.delete(NAME).await.unwrap();
    client.wait(NAME, Duration::from_secs(5)).await.unwrap();
    let options = ListOptions::new().filter("done = true");
    let page = client.list("projects/p q", &options).await.unwrap();
    assert_eq!(
        (page.operations.len(), &*page.next_page_token),
        (1, "done = true")
    );

    let calls = fake.calls();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.method, &*call.params, &*call.timeout))
        .collect();
    assert_eq!(
        seen,
        [
            ("get", "name=operations%2F1", "10000000u"),
            ("cancel", "name=operations%2F1", "10000000u"),
            ("delete", "name=operations%2F1", "10000000u"),
            ("wait", "name=operations%2F1", "15000000u"),
            ("list", "name=projects%2Fp%20q", "10000000u"),
        ]
    );
    assert_eq!((&*calls[0].name, &*calls[4].name), (NAME, "projects/p q"));
    assert_eq!(calls[3].wait, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn unavailable_is_tried_five_times_as_published() {
    let fake = Fake::script(vec![Err(Status::unavailable("down"))]);
    let client = fake.client();
    assert_eq!(
        client.get(NAME).await.unwrap_err().code(),
        Code::Unavailable
    );
    let gaps = fake.gaps();
    assert_eq!(gaps.len(), 4);
    for (index, gap) in gaps.iter().enumerate() {
        let full = Duration::from_millis(500) * 2_u32.pow(index as u32);
        let accuracy = Duration::from_millis(2);
        assert!(
            *gap >= full / 2 && *gap <= full + accuracy,
            "{gap:?} of {full:?}"
        );
    }
    for (calls, call) in [(10, "cancel"), (15, "delete"), (20, "list"), (21, "wait")] {
        let error = match call {
            "cancel" => client.cancel(NAME).await.unwrap_err(),
            "delete" => client.delete(NAME).await.unwrap_err(),
            "list" => client.list("", &ListOptions::default()).await.unwrap_err(),
            _ => client.wait(NAME, Duration::ZERO).await.unwrap_err(),
        };
        assert_eq!(error.code(), Code::Unavailable);
        assert_eq!(fake.calls().len(), calls, "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_can_succeed() {
    let down = || Err(Status::unavailable("down"));
    let fake = Fake::script(vec![down(), down(), Ok(running())]);
    assert_eq!(fake.client().get(NAME).await.unwrap(), running());
}

#[tokio::test(start_paused = true)]
async fn other_errors_are_not_retried() {
    for code in [
        Code::NotFound,
        Code::DeadlineExceeded,
        Code::Unknown,
        Code::Internal,
    ] {
        let fake = Fake::script(vec![Err(Status::new(code, "no"))]);
        assert_eq!(fake.client().get(NAME).await.unwrap_err().code(), code);
        assert_eq!(fake.calls().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_has_exceeded_the_deadline() {
    let fake = Fake::new(|_| std::future::pending());
    let began = Instant::now();
    let error = fake.client().get(NAME).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert_eq!(began.elapsed(), CallSettings::DEFAULT_TIMEOUT);

    let began = Instant::now();
    let minute = Duration::from_secs(60);
    let error = fake.client().wait(NAME, minute).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert_eq!(began.elapsed(), minute + Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn settings_can_be_others_and_strange() {
    let fake = Fake::script(vec![Err(Status::unavailable("down"))]);
    let settings = CallSettings::default()
        .timeout(Duration::MAX)
        .attempts(0)
        .backoff(ExponentialBackoff::new(Duration::ZERO, Duration::ZERO))
        .retry_codes(&[Code::Unavailable]);
    let client = fake.client().with_call_settings(settings);
    assert!(client.get(NAME).await.is_err());
    assert_eq!(fake.calls().len(), 1);
    client.wait(NAME, Duration::MAX).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn each_method_and_each_call_can_have_its_own_settings() {
    let fake = Fake::script(vec![Err(Status::aborted("no"))]);
    let stubborn = CallSettings::default()
        .attempts(3)
        .retry_codes(&[Code::Aborted]);
    let client = fake.client();
    let client = client.with_method_settings(OperationsRpc::Delete, stubborn);
    client.get(NAME).await.unwrap_err();
    client.delete(NAME).await.unwrap_err();
    let once = client.clone().with_call_settings(stubborn).get(NAME).await;
    once.unwrap_err();
    client.get(NAME).await.unwrap_err();
    let methods = fake.methods();
    assert_eq!(methods[..4], ["get", "delete", "delete", "delete"]);
    assert_eq!(methods[4..], ["get"; 4]);

    let waits = stubborn.timeout(Duration::from_secs(1));
    let client = client.with_method_settings(OperationsRpc::Wait, waits);
    let wait = client.wait(NAME, Duration::from_secs(5)).await;
    wait.unwrap_err();
    let calls = fake.calls();
    assert_eq!((calls.len(), &*calls[8].timeout), (11, "6000000u"));
}

#[tokio::test(start_paused = true)]
async fn the_caller_is_named_and_can_have_another_name() {
    let fake = Fake::script(vec![Ok(running())]);
    fake.client().get(NAME).await.unwrap();
    let client = fake.client().with_library("archiver", "2.1.0");
    client.get(NAME).await.unwrap();
    let calls = fake.calls();
    let own = format!(" lro/{} grpc/", env!("CARGO_PKG_VERSION"));
    assert!(calls[0].api_client.starts_with("gl-rust/1."));
    assert!(calls[0].api_client.contains(&own));
    assert!(calls[1].api_client.contains(" archiver/2.1.0 grpc/"));
}

struct Tokens(AtomicU32);

#[tonic::async_trait]
impl TokenProvider for Tokens {
    async fn token(&self, scopes: &[&str]) -> Result<String, Status> {
        match self.0.fetch_add(1, Relaxed) {
            0 => Err(Status::unavailable("no tokens yet")),
            1 => Ok(scopes.join("+")),
            2 => Err(Status::unauthenticated("no more")),
            _ => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_try_shows_a_token() {
    let fake = Fake::script(vec![Ok(running())]);
    let client = fake.client().with_token_provider(Tokens(0.into()));
    let client = client.with_scopes(["a", "b"]);
    client.get(NAME).await.unwrap();
    let error = client.get(NAME).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    let began = Instant::now();
    let error = client.get(NAME).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert_eq!(began.elapsed(), CallSettings::DEFAULT_TIMEOUT);
    let calls = fake.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].authorization, "Bearer a+b");
}

#[tokio::test(start_paused = true)]
async fn too_long_a_message_is_refused() {
    let fake = Fake::script(vec![Ok(succeeded())]);
    let client = fake.client().max_decoding_message_size(10);
    assert_eq!(client.get(NAME).await.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_service_that_is_never_ready_fails_with_its_own_error() {
    let service = tower::service_fn(async |_: http::Request<tonic::body::Body>| {
        Err::<http::Response<tonic::body::Body>, _>(Status::permission_denied("no token"))
    });
    let error = OperationsClient::new(service).get(NAME).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::PermissionDenied, "no token")
    );
}
