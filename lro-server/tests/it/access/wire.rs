//! google.longrunning.Operations over a connection, as any client sees it.

use lro_core::pb;
use lro_server::access::OperationsRpc;
use prost::Message;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::access::transport::{Wire, carries};

/// spec:2
#[test]
fn field_numbers_are_those_of_the_standard() {
    let any = prost_types::Any {
        type_url: "t".to_owned(),
        value: Vec::new(),
    };
    let operation = |result| pb::Operation {
        name: "n".to_owned(),
        metadata: Some(any.clone()),
        done: true,
        result: Some(result),
    };
    let error = lro_core::pb::rpc::Status {
        code: 5,
        ..Default::default()
    };
    let list = pb::ListOperationsRequest {
        name: "n".to_owned(),
        filter: "f".to_owned(),
        page_size: 7,
        page_token: "t".to_owned(),
        return_partial_success: true,
    };
    let listed = pb::ListOperationsResponse {
        operations: vec![pb::Operation::default()],
        next_page_token: "t".to_owned(),
        unreachable: vec!["u".to_owned()],
    };
    let wait = pb::WaitOperationRequest {
        name: "n".to_owned(),
        timeout: Some(prost_types::Duration {
            seconds: 3,
            nanos: 0,
        }),
    };
    let name = "n".to_owned();
    for (encoded, golden) in [
        (
            operation(pb::operation::Result::Error(error)).encode_to_vec(),
            b"\x0a\x01n\x12\x03\x0a\x01t\x18\x01\x22\x02\x08\x05" as &[u8],
        ),
        (
            operation(pb::operation::Result::Response(any.clone())).encode_to_vec(),
            b"\x0a\x01n\x12\x03\x0a\x01t\x18\x01\x2a\x03\x0a\x01t",
        ),
        (
            list.encode_to_vec(),
            b"\x0a\x01f\x10\x07\x1a\x01t\x22\x01n\x28\x01",
        ),
        (listed.encode_to_vec(), b"\x0a\x00\x12\x01t\x1a\x01u"),
        (wait.encode_to_vec(), b"\x0a\x01n\x12\x02\x08\x03"),
        (
            pb::GetOperationRequest { name: name.clone() }.encode_to_vec(),
            b"\x0a\x01n",
        ),
        (
            pb::CancelOperationRequest { name: name.clone() }.encode_to_vec(),
            b"\x0a\x01n",
        ),
        (
            pb::DeleteOperationRequest { name }.encode_to_vec(),
            b"\x0a\x01n",
        ),
    ] {
        assert_eq!(encoded, golden);
    }
}

/// spec:9
#[tokio::test]
async fn routing_headers_change_nothing() {
    let wire = Wire::new().await;
    let name = wire.server.started("", "projects/p").await;
    for params in [
        "name=projects%2Fq%2Foperations%2F1",
        "",
        "name",
        "%%%=%",
        "parent=users/-",
    ] {
        let mut request = Request::new(pb::GetOperationRequest { name: name.clone() });
        let headers = request.metadata_mut();
        headers.insert("x-goog-request-params", params.parse().unwrap());
        let got = wire.client().get_operation(request).await.unwrap();
        assert_eq!(got.into_inner().name, name, "{params}");
    }
    wire.stop().await;
}

/// spec:10 spec:64 spec:65 spec:74 spec:75
#[tokio::test]
async fn calls_may_be_repeated() {
    let wire = Wire::new().await;
    let name = wire.server.started("", "").await;
    let mut client = wire.client();
    let cancel = || pb::CancelOperationRequest { name: name.clone() };
    let get = || pb::GetOperationRequest { name: name.clone() };
    let delete = || pb::DeleteOperationRequest { name: name.clone() };
    client.cancel_operation(cancel()).await.unwrap();
    let first = client.get_operation(get()).await.unwrap().into_inner();
    assert!(first.done);
    for _ in 0..2 {
        client.cancel_operation(cancel()).await.unwrap();
        assert_eq!(
            client.get_operation(get()).await.unwrap().into_inner(),
            first
        );
    }
    client.delete_operation(delete()).await.unwrap();
    let wait = pb::WaitOperationRequest {
        name: name.clone(),
        timeout: None,
    };
    for code in [
        client.delete_operation(delete()).await.unwrap_err().code(),
        client.get_operation(get()).await.unwrap_err().code(),
        client.cancel_operation(cancel()).await.unwrap_err().code(),
        client.wait_operation(wait).await.unwrap_err().code(),
    ] {
        assert_eq!(code, Code::NotFound);
    }
    let all = client.list_operations(pb::ListOperationsRequest::default());
    assert!(all.await.unwrap().into_inner().operations.is_empty());
    wire.stop().await;
}

/// spec:23 spec:24 spec:61 spec:62
#[tokio::test]
async fn an_operation_has_its_result_when_it_is_done_and_not_before() {
    let wire = Wire::new().await;
    let name = wire.server.started("", "").await;
    let mut client = wire.client();
    let get = || pb::GetOperationRequest { name: name.clone() };
    let pending = client.get_operation(get()).await.unwrap().into_inner();
    assert!(!pending.done);
    assert_eq!(pending.result, None);
    assert!(pending.metadata.is_some(), "from the first answer on");
    let cancel = pb::CancelOperationRequest { name: name.clone() };
    client.cancel_operation(cancel).await.unwrap();
    let done = client.get_operation(get()).await.unwrap().into_inner();
    assert!(done.done);
    let Some(pb::operation::Result::Error(error)) = done.result else {
        panic!("an error, and nothing else: {:?}", done.result);
    };
    assert_eq!(error.code, Code::Cancelled as i32);
    assert_eq!(done.metadata, pending.metadata, "and after the end");
    wire.stop().await;
}

/// spec:34
#[tokio::test]
async fn a_started_operation_can_be_read_immediately() {
    let wire = Wire::new().await;
    let mut client = wire.client();
    for _ in 0..20 {
        let name = wire.server.started("", "").await;
        let get = pb::GetOperationRequest { name: name.clone() };
        assert!(client.get_operation(get).await.is_ok());
        let wait = pb::WaitOperationRequest {
            name: name.clone(),
            timeout: Some(prost_types::Duration::default()),
        };
        assert!(client.wait_operation(wait).await.is_ok());
        let list = pb::ListOperationsRequest {
            page_size: 1,
            ..Default::default()
        };
        let list = client.list_operations(list).await.unwrap().into_inner();
        assert_eq!(list.operations[0].name, name);
    }
    wire.stop().await;
}

/// spec:42 spec:44 spec:46 spec:47 spec:57
#[tokio::test]
async fn names_are_exact_and_say_what_is_wrong_with_them() {
    let wire = Wire::new().await;
    let mut client = wire.client();
    wire.server.start("", &["operation_id=abc"]).await.unwrap();
    for (name, code) in [
        ("operations/abc", Code::Ok),
        ("operations/ABC", Code::NotFound),
        ("operations/ab", Code::NotFound),
        ("Operations/abc", Code::InvalidArgument),
        ("", Code::InvalidArgument),
        ("abc", Code::InvalidArgument),
        ("operations/-", Code::InvalidArgument),
        ("operations/abc/", Code::InvalidArgument),
        ("/operations/abc", Code::InvalidArgument),
    ] {
        if !carries(OperationsRpc::Get, name) {
            continue;
        }
        let name = name.to_owned();
        let get = client.get_operation(pb::GetOperationRequest { name: name.clone() });
        let get = get.await.map(|_| ());
        let wait = pb::WaitOperationRequest {
            name: name.clone(),
            timeout: None,
        };
        let wait = match code {
            Code::Ok => Ok(()),
            _ => client.wait_operation(wait).await.map(|_| ()),
        };
        for answer in [get, wait] {
            let Err(error) = answer else {
                assert_eq!(code, Code::Ok, "{name}");
                continue;
            };
            assert_eq!(error.code(), code, "{name}");
            if code == Code::InvalidArgument {
                let violations = error.get_details_bad_request().unwrap().field_violations;
                assert_eq!(violations[0].field, "name");
            }
        }
    }
    wire.stop().await;
}

/// spec:153 spec:154 spec:155
#[tokio::test]
async fn generated_ids_are_plain_lower_case_and_begin_with_a_digit() {
    let wire = Wire::new().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let name = wire.server.started("", "projects/p").await;
        let id = name
            .strip_prefix("projects/p/operations/")
            .unwrap()
            .to_owned();
        let plain = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'-';
        assert!(id.bytes().all(plain), "{id}");
        assert!(
            id.len() <= 63 && id.starts_with(|c: char| c.is_ascii_digit()),
            "{id}"
        );
        // Half of it is random: who knows one does not know the next.
        assert!(seen.insert(id[19..].to_owned()));
    }
    wire.stop().await;
}

/// spec:33 spec:45
#[tokio::test]
async fn a_start_may_answer_with_an_operation_that_is_done() {
    let wire = Wire::new().await;
    let started = wire.server.start("", &["response=abc"]).await.unwrap();
    assert!(started.done());
    let get = pb::GetOperationRequest {
        name: started.name().to_owned(),
    };
    let got = wire.client().get_operation(get).await.unwrap().into_inner();
    assert_eq!(got.name, started.name());
    let got = crate::support::Typed::from(got);
    assert_eq!(
        got.outcome().unwrap().response().unwrap(),
        crate::support::exported(3)
    );
    wire.stop().await;
}

/// spec:58
#[tokio::test]
async fn a_waiting_client_that_goes_away_changes_nothing() {
    let wire = Wire::new().await;
    let name = wire.server.started("", "").await;
    let get = || pb::GetOperationRequest { name: name.clone() };
    let before = wire
        .client()
        .get_operation(get())
        .await
        .unwrap()
        .into_inner();
    for _ in 0..3 {
        let mut request = Request::new(pb::WaitOperationRequest {
            name: name.clone(),
            timeout: None,
        });
        // The client's own limit ends the call, in the middle of the wait.
        request.set_timeout(std::time::Duration::from_millis(1));
        wire.client().wait_operation(request).await.ok();
    }
    let after = wire
        .client()
        .get_operation(get())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(after, before);
    wire.stop().await;
}
