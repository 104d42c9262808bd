//! Against a server that is not ours: grpcio, in Python.
//!
//! The server is tests/python/server.py, where the operations' behaviours have their names.

use std::time::Duration;

use lro_client::{
    Cancellation, ExponentialBackoff, IncompletePolicy, IntoPoller as _, ListOptions, Operation,
    OperationsClient, Poller, PollerSet, PollingResult, WaitError,
};
use lro_core::pb;
use prost_types::{Duration as Metadata, Timestamp};
use tokio::time::Instant;
use tonic::Code;
use tonic::transport::Channel;

use crate::support::python::Python;

const SECOND: Duration = Duration::from_secs(1);

type Typed = Poller<Timestamp, Metadata>;
type Ended = Result<Timestamp, WaitError<Timestamp, Metadata>>;

/// One of the two servers.
#[derive(Clone)]
struct Service {
    operations: OperationsClient,
    waits: bool,
}

impl Service {
    fn new(url: &str, waits: bool) -> Self {
        let channel = Channel::from_shared(url.to_owned()).unwrap();
        Self {
            operations: OperationsClient::new(channel.connect_lazy()),
            waits,
        }
    }

    /// A poller for an operation of its own with this behaviour, just started.
    fn started(&self, behaviour: &str) -> Typed {
        let operation = pb::Operation {
            name: format!("operations/{behaviour}-{:?}", Instant::now()),
            ..Default::default()
        };
        let poller: Typed = Operation::from(operation).into_poller(&self.operations);
        let pace = ExponentialBackoff::new(SECOND / 50, SECOND / 50);
        poller.backoff_policy(pace)
    }

    async fn end(&self, behaviour: &str) -> Ended {
        let poller = self.started(behaviour).time_limit(SECOND * 60);
        poller.until_done().await
    }
}

async fn successes(service: Service) {
    for behaviour in ["plain", "host", "bare", "metadata", "nameless", "early"] {
        let ended = service.end(behaviour).await;
        assert_eq!(ended.unwrap().seconds, 42, "{behaviour}");
    }
}

async fn troubles(service: Service) {
    for behaviour in ["late", "burst", "busy", "cut"] {
        let began = Instant::now();
        let ended = service.end(behaviour).await;
        assert_eq!(ended.unwrap().seconds, 42, "{behaviour}");
        let least = if behaviour == "busy" {
            SECOND
        } else {
            SECOND / 1000
        };
        assert!(began.elapsed() >= least, "{behaviour}");
    }
    // A resumed poller has no such grace period.
    let absent = Typed::resume("operations/absent", &service.operations);
    let error = absent.until_done().await.unwrap_err();
    assert!(error.is_poll_failed());
    assert_eq!(error.code(), Code::NotFound);
}

async fn failures(service: Service) {
    for (behaviour, expected) in [
        ("other", "google.protobuf.Empty"),
        ("unknown", "no.such.Type"),
        ("untyped", ""),
    ] {
        let error = service.end(behaviour).await.unwrap_err();
        let unpack = error.unpack_error().unwrap();
        assert_eq!(unpack.found(), Some(expected), "{behaviour}");
        assert_eq!(unpack.expected(), "google.protobuf.Timestamp");
    }
    assert!(
        service
            .end("garbage")
            .await
            .unwrap_err()
            .is_invalid_response()
    );
    for (behaviour, code) in [("zero", 0), ("odd", -12345)] {
        let error = service.end(behaviour).await.unwrap_err();
        assert!(error.is_failed(), "{behaviour}");
        assert_eq!(
            (error.code(), error.status().unwrap().code),
            (Code::Unknown, code)
        );
    }
    let error = service.end("failed").await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(error.status().unwrap().details.len(), 2);
    assert_eq!(error.details().error_info().unwrap().reason, "DISK_FULL");
    let error = service.end("cancelled").await.unwrap_err();
    assert!(error.is_cancelled());
    // A payload that is not an `Operation`.
    let error = service.end("bytes").await.unwrap_err();
    assert!(error.is_poll_failed(), "{error}");
}

async fn policies(service: Service) {
    let error = service.end("silent").await.unwrap_err();
    assert!(error.is_missing_result());
    let poller = service.started("silent");
    let poller = poller.incomplete_policy(IncompletePolicy::Default);
    assert_eq!(poller.await.unwrap(), Timestamp::default());

    let began = Instant::now();
    let poller = service.started("endless").time_limit(SECOND * 2);
    let error = poller.until_done().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(began.elapsed() < SECOND * 3, "{:?}", began.elapsed());
    assert_eq!(service.waits, error.polls() == 1, "{}", error.polls());

    let ended = service.started("cancellable").cancel_and_wait().await;
    assert_eq!(ended.unwrap(), Cancellation::Cancelled);
    let ended = service.started("stubborn").cancel_and_wait().await;
    assert!(matches!(
        ended,
        Ok(Cancellation::Completed(Timestamp { seconds: 42, .. }))
    ));
    let error = service.started("plain").delete().await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
}

async fn watching(service: Service) {
    let mut poller = service.started("plain");
    let mut seen = Vec::new();
    while let Some(update) = poller.next_update().await {
        seen.push(match update {
            PollingResult::InProgress(metadata) => metadata.map_or(0, |it| it.seconds),
            PollingResult::Completed(result) => result.unwrap().seconds,
            PollingResult::PollingError(status) => panic!("{status}"),
        });
    }
    assert_eq!(seen, [0, 7, 42]);
}

async fn lists_and_sets(service: Service) {
    let mut list = service
        .operations
        .list_all("python", ListOptions::default());
    let mut set = PollerSet::<Timestamp, Metadata>::new(&service.operations);
    let mut count = 0;
    while let Some(operation) = list.next().await {
        let name = operation.unwrap().name;
        set.push(Poller::resume(name, &service.operations));
        count += 1;
    }
    while let Some((name, result)) = set.next().await {
        assert_eq!(result.unwrap().seconds, 42, "{name}");
        count += 100;
    }
    assert_eq!(count, 2525);
    assert_eq!(set.calls(), 3);
}

async fn headers(service: Service) {
    let poller = Typed::resume("operations/headers", &service.operations);
    let error = poller.until_done();
    if service.waits {
        return;
    }
    let error = error.await.unwrap_err();
    let text = &error.status().unwrap().message;
    let parts: Vec<_> = text.split('|').collect();
    assert!(parts[0].starts_with("gl-rust/1."), "{text}");
    assert_eq!(parts[1..], ["name=operations%2Fheaders", ""]);
}

#[tokio::test]
async fn all_that_a_foreign_server_can_do() {
    let Some(python) = tokio::task::spawn_blocking(Python::start).await.unwrap() else {
        return;
    };
    let mut tasks = tokio::task::JoinSet::new();
    for (url, waits) in [(&python.waiting, true), (&python.polling, false)] {
        let service = Service::new(url, waits);
        tasks.spawn(successes(service.clone()));
        tasks.spawn(troubles(service.clone()));
        tasks.spawn(failures(service.clone()));
        tasks.spawn(policies(service.clone()));
        tasks.spawn(watching(service.clone()));
        tasks.spawn(lists_and_sets(service.clone()));
        tasks.spawn(headers(service));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}
