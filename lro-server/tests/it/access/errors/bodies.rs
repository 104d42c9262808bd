use lro_core::DOMAIN;
use lro_core::pb::rpc;
use lro_server::HandlerError;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::check;
use crate::support;

/// spec:27 spec:135 spec:136
#[tokio::test(start_paused = true)]
async fn every_error_of_an_operation_carries_an_error_info_and_what_its_handler_said() {
    let own = {
        let mut details = ErrorDetails::with_error_info("OWN_REASON", DOMAIN, []);
        details.set_bad_request(vec![FieldViolation::new("tables", "are locked")]);
        Status::with_error_details(Code::FailedPrecondition, "locked", details)
    };
    let without = {
        let mut details = ErrorDetails::new();
        details.set_help(Vec::new());
        details.set_localized_message("de", "gesperrt");
        Status::with_error_details(Code::FailedPrecondition, "locked", details)
    };
    let (own_again, without_again) = (own.clone(), without.clone());
    let (operations, exporter, _worker) = support::start(move |request, _| {
        let (own_again, without_again) = (own_again.clone(), without_again.clone());
        async move {
            match &*request.tables[0] {
                "own" => Err(HandlerError::from(own_again)),
                "without" => Err(HandlerError::from(without_again.clone())),
                "plain" => Err(HandlerError::from(Status::not_found("no such table"))),
                "ok" => Err(HandlerError::from(Status::new(Code::Ok, "fine"))),
                "garbled" => {
                    let garbled = b"\xff\xff\xff".as_slice().into();
                    Err(HandlerError::from(Status::with_details(
                        Code::Aborted,
                        "odd",
                        garbled,
                    )))
                }
                "panic" => panic!("secret"),
                _ => std::future::pending().await,
            }
        }
    })
    .await;
    for (table, code, reason) in [
        ("own", Code::FailedPrecondition, "OWN_REASON"),
        ("without", Code::FailedPrecondition, "HANDLER_FAILED"),
        ("plain", Code::NotFound, "HANDLER_FAILED"),
        ("ok", Code::Internal, "HANDLER_MISBEHAVED"),
        ("garbled", Code::Aborted, "HANDLER_FAILED"),
        ("panic", Code::Internal, "HANDLER_PANICKED"),
    ] {
        let started = exporter.call(&[table]).await.unwrap();
        let done = support::wait(&operations, &started).await;
        let error = done.error().unwrap();
        assert_eq!(error.code, code as i32, "{table}: {error:?}");
        assert_eq!(check(table, &error.details), reason, "{table}");
        // To the byte, and nothing but an ErrorInfo added.
        let given = match table {
            "own" => rpc::Status::decode(own.details()).unwrap().details,
            "without" => rpc::Status::decode(without.details()).unwrap().details,
            _ => Vec::new(),
        };
        assert_eq!(error.details[..given.len()], given, "{table}");
        let added = usize::from(table != "own");
        assert_eq!(error.details.len(), given.len() + added, "{table}");
    }
    let started = exporter.call(&["wait"]).await.unwrap();
    operations.cancel(&support::name(&started)).await.unwrap();
    let done = support::wait(&operations, &started).await;
    assert_eq!(
        check("cancelled", &done.error().unwrap().details),
        "OPERATION_CANCELLED"
    );
}
