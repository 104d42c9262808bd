//! Waiting for many operations at once: what comes, in which order, and with how many calls.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lro_client::{IntoPoller as _, Operation, OperationsClient, Poller, PollerSet};
use lro_core::pb;
use lro_core::pb::operations_server::OperationsServer;
use prost_types::Timestamp;
use tokio::time::Instant;
use tonic::Code;

use crate::support::fleet::Fleet;

const SECOND: Duration = Duration::from_secs(1);

type Set = PollerSet<Timestamp, ()>;

fn client(fleet: &Arc<Fleet>) -> OperationsClient {
    OperationsClient::new(OperationsServer::from_arc(fleet.clone()))
}

fn started(name: &str, operations: &OperationsClient) -> Poller<Timestamp, ()> {
    let operation = Operation::from(pb::Operation {
        name: name.into(),
        ..Default::default()
    });
    operation.into_poller(operations)
}

fn full(fleet: &Arc<Fleet>) -> Set {
    let operations = client(fleet);
    let mut set = Set::new(&operations);
    for name in fleet.ends.keys() {
        assert!(set.push(started(name, &operations)).is_none());
    }
    assert_eq!(set.len(), fleet.ends.len());
    set
}

fn names(parent: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |index| format!("{parent}operations/{index:05}"))
}

/// Takes all results, which must be successes, and returns their names and delays.
async fn drain(set: &mut Set, fleet: &Fleet) -> Vec<(String, Duration)> {
    let mut seen = Vec::new();
    while let Some((name, result)) = set.next().await {
        assert_eq!(result.unwrap().seconds, name.len() as i64);
        let late = Instant::now() - fleet.ends[&name];
        seen.push((name, late));
    }
    assert!(set.is_empty() && set.next().await.is_none());
    seen
}

#[tokio::test(start_paused = true)]
async fn few_are_waited_for_on_the_server_and_come_in_the_order_of_their_ends() {
    let mut fleet = Fleet::new(names("", 10), SECOND * 100);
    fleet.offers_wait = true;
    let fleet = Arc::new(fleet);
    let seen = drain(&mut full(&fleet), &fleet).await;
    assert!(seen.is_sorted() && seen.len() == 10);
    assert!(
        seen.iter().all(|(_, late)| *late <= SECOND / 50),
        "{seen:?}"
    );
    assert_eq!(fleet.calls(), fleet.waits.load(Relaxed));
    assert!(fleet.under_way_max.load(Relaxed) <= 10);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_share_their_polls() {
    let mut fleet = Fleet::new(names("projects/p/", 10_000), SECOND / 200);
    fleet.page_max = 1_000;
    let fleet = Arc::new(fleet);
    let mut set = full(&fleet);
    let seen = drain(&mut set, &fleet).await;
    assert_eq!(seen.len(), 10_000);
    assert!(seen.iter().all(|(_, late)| *late <= SECOND * 61));
    // Rounds of 10 pages, about one a second for 50 s, and not a call for each operation. One may
    // not have been sent any more.
    assert!(fleet.calls() < 1_200, "{} calls", fleet.calls());
    assert!(set.calls() - fleet.calls() as u64 <= 1);
    assert!(fleet.gets.load(Relaxed) < 100);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_list_is_asked_one_by_one() {
    let fleet = Arc::new(Fleet::new(names("", 500), SECOND / 10));
    let seen = drain(&mut full(&fleet), &fleet).await;
    assert_eq!(seen.len(), 500);
    assert_eq!(fleet.lists.load(Relaxed), 1);
    assert_eq!(fleet.under_way_max.load(Relaxed), Set::DEFAULT_CONCURRENCY);
}

#[tokio::test(start_paused = true)]
async fn operations_missing_in_a_list_are_read_singly() {
    let mut fleet = Fleet::new(names("", 100), SECOND);
    fleet.page_max = 1_000;
    fleet.hidden = names("", 100).skip(50).take(3).collect();
    let fleet = Arc::new(fleet);
    let seen = drain(&mut full(&fleet), &fleet).await;
    assert_eq!(seen.len(), 100);
    let asked = fleet.asked.lock().unwrap();
    assert!(fleet.hidden.iter().all(|name| asked.contains(name)));
}

#[tokio::test(start_paused = true)]
async fn a_crowded_parent_is_not_listed_at_any_price() {
    // The ones waited for are the last in a list of very many others.
    let mut fleet = Fleet::new(names("", 20_000), Duration::ZERO);
    fleet.page_max = 100;
    let end = Instant::now() + SECOND * 300;
    let own: Vec<_> = (0..40)
        .map(|index| format!("operations/own-{index}"))
        .collect();
    for name in &own {
        fleet.ends.insert(name.clone(), end);
    }
    let fleet = Arc::new(fleet);
    let operations = client(&fleet);
    let mut set = Set::new(&operations);
    for name in &own {
        set.push(started(name, &operations));
    }
    assert_eq!(drain(&mut set, &fleet).await.len(), 40);
    let lists = fleet.lists.load(Relaxed);
    assert!(lists <= 40, "{lists} lists");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_sat_out_by_all_with_few_calls() {
    let mut fleet = Fleet::new(names("", 1_000), Duration::ZERO);
    fleet.page_max = 1_000;
    fleet.outage = 30.into();
    let fleet = Arc::new(fleet);
    assert_eq!(drain(&mut full(&fleet), &fleet).await.len(), 1_000);
    assert_eq!(fleet.calls(), 31);
}

#[tokio::test(start_paused = true)]
async fn an_absent_operation_ends_alone_and_returns_its_poller() {
    let mut fleet = Fleet::new(names("", 50), SECOND);
    fleet.page_max = 1_000;
    let fleet = Arc::new(fleet);
    let mut set = full(&fleet);
    set.push(Poller::resume("operations/absent", &client(&fleet)));
    let (name, result) = set.next().await.unwrap();
    let error = result.unwrap_err();
    assert_eq!(
        (&*name, error.code()),
        ("operations/absent", Code::NotFound)
    );
    assert_eq!(error.into_poller().unwrap().name(), "operations/absent");
    assert_eq!(drain(&mut set, &fleet).await.len(), 50);
}

#[tokio::test(start_paused = true)]
async fn each_has_its_own_time_limit() {
    for page_max in [0, 1_000] {
        let mut fleet = Fleet::new(names("", 100), SECOND * 100);
        fleet.page_max = page_max;
        let fleet = Arc::new(fleet);
        let operations = client(&fleet);
        let mut set = Set::new(&operations);
        let began = Instant::now();
        for (name, index) in fleet.ends.keys().zip(1..) {
            set.push(started(name, &operations).time_limit(SECOND * 7 * index));
        }
        for index in 1..=100 {
            let (_, result) = set.next().await.unwrap();
            let error = result.unwrap_err();
            assert!(error.is_timeout(), "{error}");
            let (limit, elapsed) = (SECOND * 7 * index, began.elapsed());
            assert!(
                elapsed <= limit && elapsed >= limit - SECOND / 4,
                "{elapsed:?} of {limit:?}"
            );
            assert_eq!(error.elapsed(), elapsed);
        }
        assert!(set.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn parents_take_turns() {
    // 400 below one, 20 below each of the others: none waits for the 400 to be asked.
    let big = names("big/", 400);
    let small = (0..5).flat_map(|index| names(&format!("p{index}/"), 20).collect::<Vec<_>>());
    let fleet = Fleet::new(big.chain(small), Duration::ZERO);
    let fleet = Arc::new(fleet);
    let operations = client(&fleet);
    let mut set = Set::new(&operations)
        .list_from(usize::MAX)
        .concurrency(NonZeroUsize::new(6).unwrap());
    for name in fleet.ends.keys() {
        set.push(Poller::resume(&**name, &operations));
    }
    drain(&mut set, &fleet).await;
    let asked = fleet.asked.lock().unwrap();
    let last = asked.iter().rposition(|name| name.starts_with('p'));
    assert!(last.unwrap() <= 125, "{last:?}");
    assert!(fleet.under_way_max.load(Relaxed) <= 6);
}

#[tokio::test(start_paused = true)]
async fn pushing_and_removing_continue_meanwhile() {
    let mut fleet = Fleet::new(names("", 60), SECOND);
    fleet.page_max = 7;
    fleet.offers_wait = true;
    let fleet = Arc::new(fleet);
    let operations = client(&fleet);
    let mut set = Set::new(&operations);
    let mut seen = 0;
    for name in fleet.ends.keys() {
        set.push(started(name, &operations));
        if tokio::time::timeout(SECOND / 3, set.next()).await.is_ok() {
            seen += 1;
        }
    }
    let last = fleet.ends.keys().next_back().unwrap();
    assert!(set.push(started(last, &operations)).is_some());
    assert_eq!(set.remove(last).unwrap().name(), last);
    assert!(set.remove(last).is_none());
    seen += drain(&mut set, &fleet).await.len();
    assert_eq!(seen, 59);
}

#[tokio::test(start_paused = true)]
async fn a_finished_operation_needs_no_call_when_pushed() {
    let fleet = Arc::new(Fleet::new(names("", 1), Duration::ZERO));
    let operations = client(&fleet);
    let mut poller = started("operations/00000", &operations);
    assert!(matches!(
        poller.poll().await,
        lro_client::PollingResult::Completed(Ok(_))
    ));
    let mut set = Set::new(&operations);
    set.push(poller);
    drain(&mut set, &fleet).await;
    assert_eq!(fleet.calls(), 1);
}

#[tokio::test]
async fn a_set_can_be_sent_and_is_a_stream() {
    fn is_send_stream<T: Send + futures_core::Stream>(_: &T) {}
    let fleet = Arc::new(Fleet::default());
    let set = full(&fleet);
    is_send_stream(&set);
    assert_eq!(format!("{set:?}").lines().count(), 1);
}
