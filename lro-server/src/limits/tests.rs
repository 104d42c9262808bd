use lro_core::pb::rpc;

use super::*;

/// spec:89 spec:90 spec:91
#[test]
fn page_sizes() {
    let limits = Limits::default();
    let size = |wanted, policy: &ListPolicy| limits.page_size(wanted, policy).unwrap();
    let policy = ListPolicy::default();
    assert_eq!(
        [0, 7, i32::MAX].map(|wanted| size(wanted, &policy)),
        [50, 7, 1_000]
    );
    let policy = ListPolicy::service_infrastructure();
    assert_eq!(
        [0, 7, 101].map(|wanted| size(wanted, &policy)),
        [50, 7, 100]
    );
    let policy = ListPolicy::genomics_v1();
    assert_eq!(
        [0, 7, 257].map(|wanted| size(wanted, &policy)),
        [256, 7, 256]
    );
    let error = limits.page_size(-1, &policy).unwrap_err();
    assert_eq!(error.code(), tonic::Code::InvalidArgument);
}

fn operation() -> NewOperation {
    let name = "operations/1".parse().unwrap();
    NewOperation::new(uuid::Uuid::nil(), name, "/s/M", lro_core::pack(&()))
}

fn refused(operation: &NewOperation) -> (tonic::Code, String, String) {
    use tonic_types::StatusExt as _;
    let limits = Limits::default();
    let status = limits.check_start(operation).unwrap_err();
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    let violation = &details.bad_request().unwrap().field_violations[0];
    assert_eq!(info.metadata["field"], violation.field);
    (status.code(), info.reason.clone(), violation.field.clone())
}

#[test]
fn options_of_a_start_are_bounded() {
    use tonic::Code::{InvalidArgument, ResourceExhausted};
    type Fill = fn(&mut NewOperation, usize);
    let cases: [(&str, usize, tonic::Code, Fill); 10] = [
        ("operation_id", 63, InvalidArgument, |it, len| {
            it.name = format!("operations/{}", "x".repeat(len)).parse().unwrap();
        }),
        ("request_id", 128, InvalidArgument, |it, len| {
            let id = "x".repeat(len);
            it.request_id = Some(lro_core::store::RequestId {
                id,
                fingerprint: [0; 32],
            });
        }),
        ("exclusive_key", 512, InvalidArgument, |it, len| {
            it.exclusive_key = Some("x".repeat(len));
        }),
        ("principal", 512, InvalidArgument, |it, len| {
            it.origin.principal = "x".repeat(len);
        }),
        ("labels", 64, InvalidArgument, |it, len| {
            it.labels = (0..len).map(|n| (n.to_string(), String::new())).collect();
        }),
        ("labels", 63, InvalidArgument, |it, len| {
            it.labels = [("é".repeat(len), String::new())].into();
        }),
        ("labels", 63, InvalidArgument, |it, len| {
            it.labels = [("key".to_owned(), "é".repeat(len))].into();
        }),
        ("labels", 63, InvalidArgument, |it, len| {
            let key = if len > 63 { "" } else { "key" };
            it.labels = [(key.to_owned(), String::new())].into();
        }),
        ("metadata", 64 * 1024, ResourceExhausted, |it, len| {
            it.metadata = Some(prost_types::Any {
                value: vec![0; len],
                ..Default::default()
            });
        }),
        ("response", 1024 * 1024, ResourceExhausted, |it, len| {
            let any = prost_types::Any {
                value: vec![0; len],
                ..Default::default()
            };
            it.outcome = Some(OperationOutcome::Response(any));
        }),
    ];
    for (field, max, code, fill) in cases {
        let mut operation = operation();
        fill(&mut operation, max);
        Limits::default().check_start(&operation).unwrap();
        fill(&mut operation, max + 1);
        let (found, reason, at) = refused(&operation);
        assert_eq!((found, &*at), (code, field));
        let expected = match code {
            ResourceExhausted => "LIMIT_EXCEEDED",
            _ => "INVALID_FIELD",
        };
        assert_eq!(reason, expected);
    }
}

#[test]
fn an_error_that_is_too_large_keeps_its_code_and_what_fits_of_its_message() {
    let limits = BodyLimits {
        max_response_len: 10,
        ..Limits::default().of_bodies()
    };
    let status = rpc::Status {
        code: 5,
        message: "é".repeat(20),
        details: vec![lro_core::pack(&())],
    };
    let bounded = limits.bounded_error(status);
    assert_eq!((bounded.code, &*bounded.message), (5, "ééééé"));
    assert!(bounded.details.is_empty());
    let fits = rpc::Status {
        code: 5,
        message: "no".to_owned(),
        details: Vec::new(),
    };
    assert_eq!(limits.bounded_error(fits.clone()), fits);
}
