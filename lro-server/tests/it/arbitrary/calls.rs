// Properties of every call of google.longrunning.Operations; shared with the fuzz target.

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use lro_core::filter::Schema;
use lro_core::store::{
    Claim, Command, ListPolicy, MemoryStore, NewOperation, OperationOutcome, OperationStore,
    Suspects, Update,
};
use lro_core::{ListOptions, pb};
use lro_server::Operations;
use prost::Message;
use tonic::{Code, Status};
use tower::ServiceExt as _;

const METHODS: [&str; 5] = [
    "GetOperation",
    "ListOperations",
    "WaitOperation",
    "CancelOperation",
    "DeleteOperation",
];

/// Makes a call: the first byte says which, the others are its request.
///
/// # Panics
///
/// When the server does, or has an answer that the standard has not.
pub(crate) fn ask(input: &[u8]) {
    let Some((method, request)) = input.split_first() else {
        return;
    };
    let method = METHODS[usize::from(*method) % METHODS.len()];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("there is a runtime");
    runtime.block_on(async {
        let operations = operations().await;
        let (code, answer) = call(&operations, method, request).await;
        if readable(method, request) {
            let known = [
                Code::Ok,
                Code::InvalidArgument,
                Code::NotFound,
                Code::Unimplemented,
            ];
            assert!(known.contains(&code), "{method}: {code:?}");
        } else {
            assert_ne!(code, Code::Ok, "{method}");
        }
        if code == Code::Ok {
            shows(method, &answer);
        }
        // The server continues after any call.
        let root = lro_core::ParentPattern::default();
        operations
            .list(root, &ListOptions::new())
            .await
            .expect("a list");
    });
}

fn readable(method: &str, request: &[u8]) -> bool {
    match method {
        "GetOperation" => pb::GetOperationRequest::decode(request).is_ok(),
        "ListOperations" => pb::ListOperationsRequest::decode(request).is_ok(),
        "WaitOperation" => pb::WaitOperationRequest::decode(request).is_ok(),
        "CancelOperation" => pb::CancelOperationRequest::decode(request).is_ok(),
        _ => pb::DeleteOperationRequest::decode(request).is_ok(),
    }
}

fn shows(method: &str, answer: &[u8]) {
    let whole = |operation: &pb::Operation| assert_eq!(operation.done, operation.result.is_some());
    match method {
        "GetOperation" | "WaitOperation" => {
            whole(&pb::Operation::decode(answer).expect("an operation"));
        }
        "ListOperations" => {
            let listed = pb::ListOperationsResponse::decode(answer).expect("a list");
            assert!(listed.operations.len() <= 3);
            listed.operations.iter().for_each(whole);
        }
        _ => assert_eq!(answer, b"", "it is Empty"),
    }
}

/// One that has failed, one that runs, one that waits to.
async fn operations() -> Operations {
    let store = MemoryStore::new();
    let new = |n: u128, name: &str| {
        let name = name.parse().expect("it is a name");
        let uid = uuid::Uuid::from_u128(n);
        let mut new = NewOperation::new(uid, name, "/s.S/M", Default::default());
        new.labels.insert("env".to_owned(), "prod".to_owned());
        new
    };
    let news = vec![
        new(1, "operations/1"),
        new(2, "p/q/operations/2"),
        new(3, "p/r/operations/3"),
    ];
    store.start(news).await.expect("the store works");
    let worker = lro_core::store::WorkerId::from_uuid(uuid::Uuid::from_u128(9));
    let lease = std::time::Duration::from_secs(1_000);
    let claim = Claim {
        worker,
        methods: [("/s.S/M".to_owned(), 2)].into(),
        limit: 2,
        lease_duration: lease,
        suspects: Suspects::default(),
        expires_leases: true,
    };
    let claimed = store
        .claim(claim)
        .await
        .expect("the store works")
        .operations;
    let outcome = OperationOutcome::Error(pb::rpc::Status {
        code: 5,
        message: "no such table".to_owned(),
        details: Vec::new(),
    });
    let finish = Command::Finish {
        fence: claimed[0].fence,
        outcome,
        metadata: None,
    };
    let update = Update::by_name(claimed[0].name.clone(), finish);
    store.update(vec![update]).await.expect("the store works");
    let policy = ListPolicy::new(Schema::default()).partial_success(true);
    Operations::builder(store).list_policy(policy).build()
}

/// As it comes over the wire.
async fn call(operations: &Operations, method: &str, request: &[u8]) -> (Code, Bytes) {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(request.len()).expect("it is short"));
    framed.put_slice(request);
    let request = http::Request::post(format!("/google.longrunning.Operations/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(Full::new(framed.freeze())))
        .expect("it is a request");
    let Ok(answer) = operations.service().oneshot(request).await;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("the answer ends");
    let trailers = body.trailers().unwrap_or(&head.headers);
    let status = Status::from_header_map(trailers).expect("there is a status");
    let bytes = body.to_bytes();
    (status.code(), bytes.slice(bytes.len().min(5)..))
}
