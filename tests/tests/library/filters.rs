//! Filters look into metadata and responses by the descriptors of the services, over the wire.

use lro_client::ListOptions;
use lro_tests::library::{LendRequest, Shelf};
use tonic::Code;

use crate::Fixture;
use crate::standard_fields::request;

async fn found(it: &Fixture, filter: &str) -> Vec<String> {
    let options = ListOptions::new().filter(filter);
    let page = it.operations.list("", &options).await.unwrap();
    page.operations.into_iter().map(|it| it.name).collect()
}

/// spec:109 spec:113
#[tokio::test]
async fn metadata_and_responses_are_filtered_by_their_descriptors() {
    let mut it = Fixture::start().await;
    let shelf = |name: &str| Shelf {
        name: name.to_owned(),
    };
    let created = it.library.create_shelf(request("", false)).await.unwrap();
    let created = created.into_inner();
    it.desk.open.add_permits(1);
    it.end(&created).await;
    let typed = it.library.r#type(shelf("drama")).await.unwrap();
    let typed = typed.into_inner();
    it.end(&typed).await;
    let indexed = it.library.index(shelf("prose")).await.unwrap();
    let indexed = indexed.into_inner();
    it.end(&indexed).await;
    let lent = it
        .loans
        .lend(LendRequest {
            name: "poems".into(),
        })
        .await
        .unwrap();
    let lent = lent.into_inner();
    it.end(&lent).await;

    let [created, typed, indexed, lent] =
        [created.name(), typed.name(), indexed.name(), lent.name()];
    for (filter, wanted) in [
        // A type among several that services carry; the others lack the field.
        ("metadata.percent > 5", &[created][..]),
        ("metadata.percent = 0", &[lent]),
        ("NOT metadata.percent > 5", &[lent, indexed, typed]),
        // Two responses have a name, of two types.
        ("response.name:\"poems\"", &[lent, created]),
        ("response.name = \"pro*\"", &[indexed]),
        // The standard fields are what callers see, not what the body has written.
        ("metadata.verb = create", &[created]),
        ("metadata.verb = \"written over\"", &[]),
        (
            "metadata.end_time != null AND metadata.target = \"libraries/one\"",
            &[created],
        ),
        (
            "metadata.createTime > \"2020-01-01T00:00:00Z\"",
            &[lent, created],
        ),
        // An rpc that does not say what it carries, and one that says `Any`.
        ("metadata.name = prose", &[indexed]),
        ("response.fields.type.string_value = drama", &[typed]),
        ("response.fields:type AND done = true", &[typed]),
        (
            "response:* AND state = SUCCEEDED",
            &[lent, indexed, typed, created],
        ),
    ] {
        assert_eq!(found(&it, filter).await, wanted, "{filter}");
    }
}

/// spec:112
#[tokio::test]
async fn fields_that_no_type_has_are_refused() {
    let it = Fixture::start().await;
    for filter in [
        "metadata.colour = red",
        "response.colour = red",
        "metadata.percent = many",
    ] {
        let options = ListOptions::new().filter(filter);
        let refused = it.operations.list("", &options).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{filter}");
    }
}
