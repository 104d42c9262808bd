//! The client for callers that are not async.

use lro_client::blocking::{OperationsClient, Poller};
use lro_client::{Cancellation, Operation, PollingResult};
use prost_types::{Duration as Metadata, Timestamp};
use tonic::{Code, Status};

use crate::support::{Fake, NAME, at_step, failed, response, running, succeeded};

type Typed = Poller<Timestamp, Metadata>;

/// `Fake` reads tokio's clock, so it is made where there is one.
fn client(answers: Vec<Result<lro_core::pb::Operation, Status>>) -> OperationsClient {
    let connect = async { Ok::<_, Status>(Fake::script(answers).client()) };
    OperationsClient::new(connect).unwrap().unwrap()
}

#[test]
fn does_what_the_async_client_does() {
    let operations = client(vec![Ok(succeeded())]);
    assert_eq!(operations.get(NAME).unwrap(), succeeded());
    operations.cancel(NAME).unwrap();
    operations.delete(NAME).unwrap();
    let wait = operations.wait(NAME, std::time::Duration::ZERO);
    assert_eq!(wait.unwrap(), succeeded());
    let page = operations.list("operations", &Default::default()).unwrap();
    assert_eq!(page.operations.len(), 1);
    let all: Result<Vec<_>, _> = operations
        .list_all("operations", Default::default())
        .collect();
    assert_eq!(all.unwrap().len(), 1);

    let poller: Typed = operations.resume(NAME);
    let token = poller.resume_token();
    assert_eq!(poller.until_done().unwrap(), response());
    let poller: Typed = operations.resume_token(&token).unwrap();
    let completed = poller.cancel_and_wait().unwrap();
    assert_eq!(completed, Cancellation::Completed(response()));
    assert!(operations.resume_token::<(), Metadata>(&token).is_err());
}

#[test]
fn updates_are_an_iterator() {
    let operations = client(vec![Ok(at_step(1)), Ok(failed(5, "deleted"))]);
    let poller: Typed = operations.poller(Operation::from(running()));
    let seen: Vec<_> = poller.updates().collect();
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(matches!(
        &seen[1],
        PollingResult::InProgress(Some(Metadata { seconds: 1, .. }))
    ));
    assert!(matches!(&seen[3], PollingResult::Completed(Err(error)) if error.is_failed()));
}

#[test]
fn many_threads_can_share_a_client() {
    let operations = client(vec![Ok(succeeded())]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| operations.get(NAME).unwrap());
        }
    });
}

#[test]
fn within_an_async_runtime_it_refuses_and_does_not_panic() {
    let operations = client(vec![Ok(succeeded())]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async move {
        let error = operations.get(NAME).unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert!(error.message().contains("within an async runtime"));
        let mut poller: Typed = operations.resume(NAME);
        assert!(matches!(poller.poll(), PollingResult::PollingError(_)));
        let error = poller.until_done().unwrap_err();
        assert!(error.is_poll_failed());
        assert_eq!(error.code(), Code::FailedPrecondition);
        let poller: Typed = operations.resume(NAME);
        assert_eq!(poller.updates().count(), 1);
        let first = operations.list_all("operations", Default::default()).next();
        assert!(first.unwrap().is_err());
        let connect = async { Err::<lro_client::OperationsClient, _>(()) };
        assert!(OperationsClient::new(connect).is_err());
        // And so is dropping the last clone here.
        drop(operations);
    });
}
