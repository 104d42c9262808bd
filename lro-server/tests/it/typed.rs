//! The operations of one method, with their types.

use std::time::Duration;

use exporter::pb::exporter_methods::Export;
use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse};
use lro_core::{ListOptions, LongRunningMethod, Outcome, ParentPattern};
use tonic::{Code, Status};

use crate::support::{exported, name, start, wait};

/// Another rpc with the same types.
enum Import {}

impl LongRunningMethod for Import {
    type Request = ExportRequest;
    type Response = ExportResponse;
    type Metadata = ExportMetadata;
    const PATH: &'static str = "/exporter.v1.Exporter/Import";
}

#[tokio::test(start_paused = true)]
async fn operations_of_a_method_have_its_types() {
    let (operations, exporter, _worker) = start(async |request, _| match request.tables.len() {
        1 => Ok(exported(1)),
        2 => Err(Status::not_found("no such table").into()),
        _ => std::future::pending().await,
    })
    .await;
    let exports = operations.of::<Export>();
    let one = exporter.call(&["a"]).await.unwrap();
    let done = exports.wait(&name(&one), None).await.unwrap();
    assert_eq!(done.outcome().unwrap(), Outcome::Response(exported(1)));
    let two = exporter.call(&["a", "b"]).await.unwrap();
    wait(&operations, &two).await;
    let failed = exports.get(&name(&two)).await.unwrap();
    let error = failed.outcome().unwrap().error().unwrap();
    assert_eq!(error.message, "no such table");
    let three = exporter.call(&["a", "b", "c"]).await.unwrap();
    let briefly = Some(Duration::from_millis(10));
    let running = exports.wait(&name(&three), briefly).await.unwrap();
    assert_eq!(running.outcome().unwrap(), Outcome::Running);
    assert_eq!(running.metadata().unwrap().unwrap().tables_total, 3);
}

#[tokio::test(start_paused = true)]
async fn operations_of_another_method_are_not_found() {
    let (operations, exporter, _worker) = start(async |_, _| Ok(exported(1))).await;
    let started = exporter.call(&["a"]).await.unwrap();
    wait(&operations, &started).await;
    let imports = operations.of::<Import>();
    let error = imports.get(&name(&started)).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let error = imports.wait(&name(&started), None).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let all = ListOptions::new();
    let page = imports.list(ParentPattern::default(), &all).await.unwrap();
    assert!(page.operations.is_empty());
}

#[tokio::test(start_paused = true)]
async fn lists_of_a_method_have_filters_and_pages() {
    let (operations, exporter, _worker) = start(async |request, _| {
        let count = request.tables.len() as u32;
        Ok(exported(count))
    })
    .await;
    for tables in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
        let started = exporter.call(tables).await.unwrap();
        wait(&operations, &started).await;
    }
    let exports = operations.of::<Export>();
    let (mut seen, mut options) = (Vec::new(), ListOptions::new().page_size(2));
    loop {
        let page = exports.list(ParentPattern::default(), &options);
        let page = page.await.unwrap();
        for export in page.operations {
            seen.push(export.outcome().unwrap().response().unwrap());
        }
        if page.next_page_token.is_empty() {
            break;
        }
        options = options.page_token(page.next_page_token);
    }
    assert_eq!(seen, [exported(3), exported(2), exported(1)]);
    // The token is of this list, and of no other method's.
    let first = ListOptions::new().page_size(1);
    let page = exports.list(ParentPattern::default(), &first);
    let token = page.await.unwrap().next_page_token;
    let next = first.page_token(token);
    let list = operations.list(ParentPattern::default(), &next);
    assert_eq!(list.await.unwrap_err().code(), Code::InvalidArgument);
    let failed = ListOptions::new().filter("error:* OR done = false");
    let page = exports.list(ParentPattern::default(), &failed);
    assert!(page.await.unwrap().operations.is_empty());
}
