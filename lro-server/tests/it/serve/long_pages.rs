//! Lists of operations that are long on the wire.

use std::sync::Arc;

use lro_core::store::{MemoryStore, NewOperation, OperationOutcome, OperationStore as _};
use lro_core::{pack, pb};
use lro_server::serve::{ServeLimits, Server};
use lro_server::{Limits, Operations};
use pb::ListOperationsRequest;
use pb::operations_client::OperationsClient;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::serve::served::Served;
use crate::support::faulty::Node;

const MIB: usize = 1024 * 1024;

/// Finished operations with responses of these lengths, and requests of 1 MiB.
async fn store(lengths: impl IntoIterator<Item = usize>) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    for (n, length) in lengths.into_iter().enumerate() {
        let uid = uuid::Uuid::from_u128(n as u128 + 1);
        let name = format!("operations/{n}").parse().unwrap();
        let mut new = NewOperation::new(uid, name, "/s.S/M", pack(&"q".repeat(MIB)));
        new.outcome = Some(OperationOutcome::Response(pack(&"r".repeat(length))));
        store.start(vec![new]).await.unwrap().remove(0).unwrap();
    }
    store
}

/// The lengths of all pages, as the server sends them.
async fn walk<T>(
    mut client: OperationsClient<T>,
    filter: &str,
) -> Result<Vec<(usize, usize)>, Status>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<tower::BoxError>,
    T::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<tower::BoxError> + Send,
{
    let mut pages = Vec::new();
    let mut request = ListOperationsRequest {
        name: "operations".to_owned(),
        filter: filter.to_owned(),
        ..Default::default()
    };
    loop {
        let page = client.list_operations(request.clone()).await?.into_inner();
        pages.push((page.operations.len(), page.encoded_len()));
        if page.next_page_token.is_empty() {
            return Ok(pages);
        }
        request.page_token = page.next_page_token;
    }
}

/// report:L1
#[tokio::test]
async fn a_page_ends_before_the_message_limit() {
    let store = store([200_000; 50]).await;
    let operations = Operations::new(Node::new(&store));
    // The client of tonic accepts 4 MiB.
    let client = OperationsClient::new(operations.service());
    let pages = walk(client, "").await.unwrap();
    assert_eq!(pages.iter().map(|page| page.0).sum::<usize>(), 50);
    assert!(pages.iter().all(|page| page.1 <= 4 * MIB), "{pages:?}");
    assert!(pages[0].0 > 15, "{pages:?}");
    // A server may have smaller messages than that.
    for max_encode_len in [250_000, MIB] {
        let limits = ServeLimits::default().max_encode_len(max_encode_len);
        let served = Served::start(Server::builder(&operations).limits(limits)).await;
        let pages = walk(served.connect().await.operations(), "").await.unwrap();
        assert_eq!(pages.iter().map(|page| page.0).sum::<usize>(), 50);
        assert!(
            pages.iter().all(|page| page.1 <= max_encode_len),
            "{pages:?}"
        );
        served.stop().await;
    }
}

/// report:L1
#[tokio::test]
async fn an_operation_that_is_longer_than_a_page_is_named() {
    let store = store([10, 5 * MIB, 10]).await;
    let operations = Operations::new(Node::new(&store));
    let client = || OperationsClient::new(operations.service());
    let error = walk(client(), "").await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    let details = error.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.reason, "LIMIT_EXCEEDED");
    assert_eq!(info.metadata["operation"], "operations/1");
    // With the filter that the message says, the others are listed.
    let filter = error.message().split('`').nth(3).unwrap();
    assert_eq!(filter, "name != \"operations/1\"");
    assert_eq!(walk(client(), filter).await.unwrap()[0].0, 2);
    // And with a higher limit all of them, to a client that accepts as much.
    let builder = Operations::builder(Node::new(&store));
    let operations = builder.limits(Limits::default().max_page_len(6 * MIB));
    let client = OperationsClient::new(operations.build().service());
    let pages = walk(client.max_decoding_message_size(6 * MIB), "").await;
    assert_eq!(pages.unwrap()[0].0, 3);
}
