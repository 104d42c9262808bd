use lro_core::inspection::count_operations_request::GroupBy;
use lro_core::inspection::inspection_server::Inspection as _;
use lro_core::inspection::operation_record::State;
use lro_core::inspection::{
    CountOperationsRequest, ListOperationsRequest, ListOperationsResponse, RecordView,
};
use lro_core::store::MemoryStore;
use lro_server::{Limits, Operations};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::inspection::{name_of, service};
use crate::support::{Exporter, exported, name};

/// Operations without a worker, the newest first.
async fn started(operations: &Operations, count: usize) -> Vec<String> {
    let exporter = Exporter::new(operations, async |_, _| Ok(exported(1)));
    let mut names = Vec::new();
    for _ in 0..count {
        let started = exporter.call(&["a", "env=prod"]).await.unwrap();
        names.insert(0, started.name().to_owned());
    }
    names
}

async fn list(
    operations: &Operations,
    request: ListOperationsRequest,
) -> Result<ListOperationsResponse, Status> {
    let inspection = service(operations);
    let answer = inspection.list_operations(Request::new(request));
    Ok(answer.await?.into_inner())
}

#[tokio::test]
async fn pages_of_records_follow_each_other() {
    let operations = Operations::new(MemoryStore::new());
    let names = started(&operations, 5).await;
    let mut found = Vec::new();
    let mut request = ListOperationsRequest {
        page_size: 2,
        filter: "state = PENDING".into(),
        ..Default::default()
    };
    loop {
        let page = list(&operations, request.clone()).await.unwrap();
        for record in &page.operations {
            assert_eq!(record.state(), State::Pending);
            assert_eq!(record.labels["env"], "prod");
            let operation = record.operation.as_ref().unwrap();
            assert_eq!(operation.metadata, None, "a summary");
            assert_eq!(record.request, None);
            found.push(name_of(record).to_owned());
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, names);
}

#[tokio::test]
async fn pages_end_before_they_are_too_long() {
    // Records are longer than operations: the store's own bound does not suffice.
    let limits = Limits::default().max_page_len(1024 + 700);
    let operations = Operations::builder(MemoryStore::new())
        .limits(limits)
        .build();
    let names = started(&operations, 6).await;
    let mut found = Vec::new();
    let mut request = ListOperationsRequest {
        view: RecordView::Full.into(),
        ..Default::default()
    };
    let mut pages = 0;
    loop {
        let page = list(&operations, request.clone()).await.unwrap();
        assert!(prost::Message::encoded_len(&page) <= 1024 + 700);
        found.extend(page.operations.iter().map(|it| name_of(it).to_owned()));
        pages += 1;
        let operation = page.operations[0].operation.as_ref().unwrap();
        assert!(operation.metadata.is_some(), "the full view");
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, names);
    assert!(pages > 2, "{pages}");
}

#[tokio::test]
async fn malformed_requests_name_the_field() {
    let operations = Operations::new(MemoryStore::new());
    let request = ListOperationsRequest::default;
    for (request, field) in [
        (
            ListOperationsRequest {
                view: 7,
                ..request()
            },
            "view",
        ),
        (
            ListOperationsRequest {
                parent: "a//b".into(),
                ..request()
            },
            "parent",
        ),
        (
            ListOperationsRequest {
                page_size: -1,
                ..request()
            },
            "page_size",
        ),
        (
            ListOperationsRequest {
                filter: "colour = red".into(),
                ..request()
            },
            "filter",
        ),
        (
            ListOperationsRequest {
                page_token: "x".into(),
                ..request()
            },
            "page_token",
        ),
    ] {
        let error = list(&operations, request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        let violations = error.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field);
        assert!(error.get_details_error_info().is_some());
    }
}

#[tokio::test]
async fn counts_are_exact_or_say_that_they_are_not() {
    let operations = Operations::new(MemoryStore::new());
    let names = started(&operations, 5).await;
    operations.cancel(&names[0].parse().unwrap()).await.unwrap();
    let count = async |request| {
        let inspection = service(&operations);
        let answer = inspection.count_operations(Request::new(request));
        answer.await.unwrap().into_inner()
    };
    let all = count(CountOperationsRequest::default()).await;
    assert_eq!((all.total, all.exact), (5, true));
    assert!(all.as_of.is_some());
    let of: Vec<_> = all.counts.iter().map(|it| (it.state(), it.count)).collect();
    assert_eq!(of, [(State::Pending, 4), (State::Cancelled, 1)]);
    assert!(all.counts.iter().all(|it| it.method.ends_with("/Export")));
    let filtered = CountOperationsRequest {
        filter: "done = true".into(),
        group_by: vec![GroupBy::Method.into()],
        ..Default::default()
    };
    let filtered = count(filtered).await;
    assert_eq!((filtered.total, filtered.counts.len()), (1, 1));
    assert_eq!(filtered.counts[0].state(), State::Unspecified);
    let bounded = CountOperationsRequest {
        max_examined: 2,
        ..Default::default()
    };
    let bounded = count(bounded).await;
    assert!(!bounded.exact);
    assert!(bounded.total >= 1 && bounded.total < 5, "{bounded:?}");
}

#[tokio::test]
async fn the_standard_list_is_what_it_was() {
    let operations = Operations::new(MemoryStore::new());
    let names = started(&operations, 3).await;
    let options = lro_server::ListOptions::new().page_size(2);
    let page = operations.list(Default::default(), &options).await.unwrap();
    let listed: Vec<_> = page.operations.iter().map(|it| it.name.clone()).collect();
    assert_eq!(listed, names[..2]);
    let next = options.page_token(page.next_page_token);
    let page = operations.list(Default::default(), &next).await.unwrap();
    assert_eq!(page.operations[0].name, names[2]);
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let newest = exporter.call(&["a"]).await.unwrap();
    assert!(operations.get(&name(&newest)).await.is_ok());
}
