//! A list that fetches its pages by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use lro_client::{CallSettings, ListOptions, OperationsClient};
use lro_core::pb::operations_server::OperationsServer;
use tonic::Code;

use crate::support;
use crate::support::fleet::Fleet;

fn server(operations: usize, page_max: usize) -> (Arc<Fleet>, OperationsClient) {
    let names = (0..operations).map(|index| format!("operations/{index:03}"));
    let mut fleet = Fleet::new(names, Duration::ZERO);
    fleet.page_max = page_max;
    let fleet = Arc::new(fleet);
    let client = OperationsClient::new(OperationsServer::from_arc(fleet.clone()));
    (fleet, client)
}

#[tokio::test(start_paused = true)]
async fn all_pages_are_read_and_no_more_than_are_wanted() {
    for (operations, page_max, pages) in [(0, 3, 1), (1, 3, 1), (3, 3, 1), (4, 3, 2), (100, 7, 15)]
    {
        let (fleet, client) = server(operations, page_max);
        let list = client.list_all("operations", ListOptions::default());
        let all: Vec<_> = list.try_collect().await.unwrap();
        let names: Vec<_> = all.into_iter().map(|it| it.name).collect();
        assert_eq!(names, fleet.ends.keys().cloned().collect::<Vec<_>>());
        assert_eq!(fleet.lists.load(Relaxed), pages);
    }
    let (fleet, client) = server(100, 7);
    let list = client.list_all("operations", ListOptions::default());
    assert_eq!(list.take(7).count().await, 7);
    assert_eq!(fleet.lists.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_a_list_and_another_list_continues_from_there() {
    let (fleet, client) = server(10, 4);
    let client = client.with_call_settings(CallSettings::default().attempts(1));
    let mut list = client.list_all("operations", ListOptions::default());
    for _ in 0..4 {
        list.next().await.unwrap().unwrap();
    }
    fleet.outage.store(1, Relaxed);
    let error = list.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(list.next().await.is_none());
    let options = ListOptions::new().page_token(list.page_token());
    assert_eq!(client.list_all("operations", options).count().await, 6);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_half_way_loses_nothing() {
    let (_, client) = server(20, 3);
    let mut list = client.list_all("operations", ListOptions::default());
    let mut seen = 0;
    loop {
        // Shorter than a round trip.
        match tokio::time::timeout(Duration::from_millis(2), list.next()).await {
            Ok(Some(_)) => seen += 1,
            Ok(None) => break,
            Err(_) => {}
        }
    }
    assert_eq!(seen, 20);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_round_in_circles_is_stopped() {
    // It gives the filter as the next token, always.
    let server = support::Fake::script(vec![Ok(support::running())]);
    let options = ListOptions::new().filter("x");
    let list = server.client().list_all("operations", options);
    let all: Vec<_> = list.collect().await;
    let codes: Vec<_> = all
        .iter()
        .map(|it| it.as_ref().err().map(tonic::Status::code))
        .collect();
    assert_eq!(codes, [None, Some(Code::Internal)]);
}
