//! How a wait can end without a response, and what the error tells.

use std::error::Error as _;

use lro_client::lro_core::{Reason, TYPE_URL_PREFIX, pack};
use lro_client::{IncompletePolicy, PollingResult, WaitError};
use lro_core::pb::{self, operation::Result as Outcome};
use prost_types::{Any, Duration as Metadata, Timestamp};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support;
use crate::support::{Fake, at_step, done, failed, response, running, succeeded};

type Error = WaitError<Timestamp, Metadata>;

async fn end(operation: pb::Operation) -> Error {
    let fake = Fake::script(vec![Ok(operation)]);
    let error = fake.started().until_done().await.unwrap_err();
    assert_eq!((error.name(), error.polls()), (support::NAME, 1));
    let kinds = [
        error.is_failed(),
        error.is_cancelled(),
        error.is_invalid_response(),
        error.is_missing_result(),
        error.is_timeout(),
        error.is_poll_failed(),
    ];
    assert_eq!(kinds.iter().filter(|it| **it).count(), 1, "{error:?}");
    let text = error.to_string();
    assert!(!text.contains(char::is_control), "{text:?}");
    error.into_poller().unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_failed_operation_keeps_its_details_and_metadata() {
    let status = Reason::StoreFull.operation_error("no\nroom", [("disk", "a")]);
    let error = end(pb::Operation {
        metadata: at_step(3).metadata,
        ..done(Some(Outcome::Error(status.clone())))
    })
    .await;
    assert!(error.is_failed());
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(error.status(), Some(&status));
    assert_eq!(error.details().error_info().unwrap().metadata["disk"], "a");
    assert_eq!(error.operation().metadata().unwrap().unwrap().seconds, 3);
    let code = Code::ResourceExhausted;
    assert_eq!(
        error.to_string(),
        format!("operation `operations/1` failed with {code:?}: no\\nroom")
    );

    let status = Status::from(error);
    assert_eq!((status.code(), status.message()), (code, "no\nroom"));
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "STORE_FULL");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_operation_differs_from_a_failed_one() {
    let error = end(failed(1, "by hand")).await;
    assert!(error.is_cancelled() && !error.is_failed());
    assert_eq!(
        error.to_string(),
        "operation `operations/1` was cancelled: by hand"
    );
    assert_eq!(Status::from(error).code(), Code::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn codes_that_are_no_errors_are_unknown() {
    for code in [0, -1, 17, i32::MAX, i32::MIN] {
        let error = end(failed(code, "")).await;
        assert!(error.is_failed());
        assert_eq!(
            (error.code(), error.status().unwrap().code),
            (Code::Unknown, code)
        );
        assert_eq!(Status::from(error).code(), Code::Unknown);
    }
}

/// report:W6
#[tokio::test(start_paused = true)]
async fn a_response_of_another_type_names_both() {
    let error = end(done(Some(Outcome::Response(pack(&()))))).await;
    assert!(error.is_invalid_response());
    let unpack = error.unpack_error().unwrap();
    assert_eq!(unpack.expected(), "google.protobuf.Timestamp");
    assert_eq!(unpack.found(), Some("google.protobuf.Empty"));
    assert!(error.to_string().contains(&unpack.to_string()));
    assert!(error.source().is_none(), "the text says it");
    assert_eq!(Status::from(error).code(), Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn undecodable_payloads_are_errors() {
    let garbage = Any {
        type_url: format!("{TYPE_URL_PREFIX}google.protobuf.Timestamp"),
        value: vec![0xff; 5],
    };
    assert!(
        end(done(Some(Outcome::Response(garbage))))
            .await
            .is_invalid_response()
    );
    assert!(
        end(done(Some(Outcome::Response(Any::default()))))
            .await
            .is_invalid_response()
    );
    // Details too: the rest of the error stays readable.
    let error = end(done(Some(Outcome::Error(pb::rpc::Status {
        code: 5,
        message: "deleted".into(),
        details: vec![Any {
            type_url: format!("{TYPE_URL_PREFIX}google.rpc.ErrorInfo"),
            value: vec![0xff; 5],
        }],
    }))))
    .await;
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.details().error_info().is_none());
}

#[tokio::test(start_paused = true)]
async fn done_without_a_result_is_an_error_of_its_own() {
    let error = end(done(None)).await;
    assert!(error.is_missing_result());
    assert_eq!(error.code(), Code::Internal);
    assert_eq!(
        error.to_string(),
        "operation `operations/1` is done, without a response or an error"
    );
}

#[tokio::test(start_paused = true)]
async fn done_without_a_result_can_be_a_success() {
    let fake = Fake::script(vec![Ok(done(None))]);
    let poller = fake.started();
    let poller = poller.incomplete_policy(IncompletePolicy::Default);
    assert_eq!(poller.until_done().await.unwrap(), Timestamp::default());
}

/// report:C4
#[tokio::test(start_paused = true)]
async fn an_empty_response_may_be_missing() {
    use lro_client::{IntoPoller as _, Operation, PollerSet};
    let nothing = Some(Outcome::Response(Any::default()));
    for result in [None, nothing, Some(Outcome::Response(pack(&())))] {
        let fake = Fake::script(vec![Ok(done(result.clone()))]);
        let client = fake.client();
        let poller = || Operation::<(), ()>::from(running()).into_poller(&client);
        poller().until_done().await.unwrap();
        poller().until_done_with(|()| {}).await.unwrap();
        assert!(matches!(
            poller().poll().await,
            PollingResult::Completed(Ok(()))
        ));
        poller().cancel_and_wait().await.unwrap();
        let mut set = PollerSet::new(&client);
        set.push(poller());
        set.next().await.unwrap().1.unwrap();
        // Only if it is not asked for.
        let strict = poller().incomplete_policy(IncompletePolicy::Error);
        let strict = strict.until_done().await;
        let has_response = result.is_some_and(|it| it == Outcome::Response(pack(&())));
        assert_eq!(strict.is_ok(), has_response);
    }
    // A response of another type is still an error, and so is a failure.
    let other = done(Some(Outcome::Response(pack(&response()))));
    for (operation, is_invalid) in [(other, true), (failed(5, "no"), false)] {
        let fake = Fake::script(vec![Ok(operation)]);
        let poller = Operation::<(), ()>::from(running()).into_poller(&fake.client());
        let error = poller.until_done().await.unwrap_err();
        assert_eq!(error.is_invalid_response(), is_invalid, "{error}");
        assert_eq!(error.is_failed(), !is_invalid);
    }
}

/// report:C6
#[tokio::test(start_paused = true)]
async fn a_server_without_the_service_says_what_to_add() {
    for said in ["", "unknown service google.longrunning.Operations"] {
        let fake = Fake::script(vec![Err(Status::unimplemented(said))]);
        let error = fake.started().until_done().await.unwrap_err();
        assert!(error.is_poll_failed());
        assert_eq!(error.code(), Code::Unimplemented);
        let text = error.to_string();
        for part in [
            "`operations/1`",
            "GetOperation is not implemented",
            "no service google.longrunning.Operations",
            "add that service to the server",
            said,
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
    let fake = Fake::script(vec![Err(Status::unimplemented(""))]);
    let client = fake.client();
    let cancelled = client.cancel(support::NAME).await.unwrap_err();
    let deleted = client.delete(support::NAME).await.unwrap_err();
    let listed = client.list("operations", &Default::default()).await;
    for (status, rpc) in [
        (cancelled, "CancelOperation"),
        (deleted, "DeleteOperation"),
        (listed.unwrap_err(), "ListOperations"),
    ] {
        assert!(status.message().starts_with(rpc), "{status}");
        assert!(status.message().contains("add that service"), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_of_another_type_is_not_fatal() {
    let fake = Fake::script(vec![Ok(pb::Operation {
        metadata: Some(pack(&())),
        ..succeeded()
    })]);
    let mut poller = fake.started();
    assert_eq!(poller.clone().until_done().await.unwrap(), response());
    assert_eq!(
        poller
            .clone()
            .until_done_with(|_| panic!("unreadable"))
            .await
            .unwrap(),
        response()
    );
    assert!(matches!(
        poller.poll().await,
        PollingResult::Completed(Ok(_))
    ));
    let error = poller.metadata().unwrap_err();
    assert_eq!(error.found(), Some("google.protobuf.Empty"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_loses_the_name_is_asked_by_the_old_one() {
    let nameless = pb::Operation::default();
    let fake = Fake::script(vec![Ok(nameless), Ok(succeeded())]);
    let poller = fake.started();
    poller.until_done().await.unwrap();
    assert!(fake.calls().iter().all(|call| call.name == support::NAME));
}

#[tokio::test(start_paused = true)]
async fn one_step_at_a_time() {
    let fake = Fake::script(vec![
        Ok(at_step(1)),
        Err(Status::internal("once")),
        Ok(running()),
        Ok(failed(5, "deleted")),
    ]);
    let mut poller = fake.resumed();
    let first = poller.poll().await;
    assert!(matches!(
        first,
        PollingResult::InProgress(Some(Metadata { seconds: 1, .. }))
    ));
    let second = poller.poll().await;
    assert!(
        matches!(second, PollingResult::PollingError(status) if status.code() == Code::Internal)
    );
    assert!(matches!(
        poller.poll().await,
        PollingResult::InProgress(None)
    ));
    for _ in 0..2 {
        let last = poller.poll().await;
        assert!(matches!(last, PollingResult::Completed(Err(error)) if error.is_failed()));
    }
    assert_eq!(fake.methods(), ["get"; 4]);
}
