//! Operations of every shape of rpc run, and plain rpcs stay as they were.

use lro_tests::library::{GetShelfRequest, LendRequest, Loan, OperationMetadata, Shelf};
use prost_types::Any;

use crate::{Fixture, service::Service};

fn shelf(name: &str) -> Shelf {
    Shelf { name: name.into() }
}

#[tokio::test]
async fn empty_and_struct_and_another_attempt() {
    let mut it = Fixture::start().await;
    let started = it.library.purge(()).await.unwrap().into_inner();
    let ended = it.end(&started).await;
    assert_eq!(ended.outcome().unwrap().response().unwrap(), ());
    assert!(ended.metadata().unwrap().is_none());
}

#[tokio::test]
async fn a_keyword() {
    let mut it = Fixture::start().await;
    let started = it.library.r#type(shelf("poems")).await.unwrap();
    let ended = it.end(started.get_ref()).await;
    let response = ended.outcome().unwrap().response().unwrap();
    assert!(response.fields.contains_key("type"));
}

#[tokio::test]
async fn an_rpc_whose_types_the_attribute_says() {
    let mut it = Fixture::start().await;
    let started = it.library.index(shelf("poems")).await.unwrap();
    let ended = it.end(started.get_ref()).await;
    let response: Any = ended.outcome().unwrap().response().unwrap();
    assert_eq!(
        lro_core::unpack::<Shelf>(&response).unwrap(),
        shelf("poems")
    );
    let metadata: Any = ended.metadata().unwrap().unwrap();
    assert_eq!(
        lro_core::unpack::<Shelf>(&metadata).unwrap(),
        shelf("poems")
    );
}

#[tokio::test]
async fn a_second_service_of_the_type() {
    let mut it = Fixture::start().await;
    let request = LendRequest {
        name: "books/1".into(),
    };
    let started = it.loans.lend(request).await.unwrap();
    let ended = it.end(started.get_ref()).await;
    let loan: Loan = ended.outcome().unwrap().response().unwrap();
    assert_eq!(loan.name, "books/1");
    let metadata: OperationMetadata = ended.metadata().unwrap().unwrap();
    assert_eq!(
        (metadata.target.as_str(), metadata.verb.as_str()),
        ("books/1", "lend")
    );
}

#[tokio::test]
async fn plain_and_streaming_rpcs() {
    let mut it = Fixture::start().await;
    let request = GetShelfRequest {
        name: "poems".into(),
    };
    let got = it.library.get_shelf(request.clone()).await.unwrap();
    assert_eq!(got.into_inner(), shelf("poems"));
    let mut listed = it.library.list_shelves(request).await.unwrap().into_inner();
    assert_eq!(listed.message().await.unwrap(), Some(shelf("poems")));
    let shelves = || tokio_stream::iter([shelf("poems"), shelf("maps")]);
    let added = it.library.add_shelves(shelves()).await.unwrap();
    assert_eq!(added.into_inner(), shelf("maps"));
    let mut chat = it.library.chat(shelves()).await.unwrap().into_inner();
    assert_eq!(chat.message().await.unwrap(), Some(shelf("poems")));
}

/// The body is an ordinary method of the type.
#[tokio::test]
async fn a_body_is_called_without_an_engine() {
    let operations = lro_server::Operations::new(lro_core::store::MemoryStore::new());
    let service = Service::new(operations, std::sync::Arc::<crate::Desk>::default());
    let context = lro_server::OperationContext::detached();
    let shelf = service.index(shelf("poems"), context).await.unwrap();
    assert_eq!(shelf.name, "poems");
}
