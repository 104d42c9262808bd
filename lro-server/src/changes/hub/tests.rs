use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use super::*;

fn name(id: &str) -> OperationName {
    format!("operations/{id}").parse().unwrap()
}

fn poll(subscriber: &Subscriber) -> Poll<Changed> {
    subscriber.poll(&Context::from_waker(Waker::noop()))
}

fn operations(ids: &[&str]) -> Poll<Changed> {
    Poll::Ready(Changed::Operations(ids.iter().map(|id| name(id)).collect()))
}

#[test]
fn a_change_is_received_once_however_often_it_came() {
    let hub = Hub::new(9);
    let [one, both, all] = [false, false, true].map(|all| hub.subscribe(all).unwrap());
    hub.follow(&one, name("a"));
    for id in ["a", "b"] {
        hub.follow(&both, name(id));
    }
    for _ in 0..1_000 {
        for id in ["a", "b", "c"] {
            hub.changed(&name(id));
        }
    }
    assert_eq!(poll(&one), operations(&["a"]));
    assert_eq!(poll(&both), operations(&["a", "b"]));
    assert_eq!(poll(&all), operations(&["a", "b", "c"]));
    for subscriber in [&one, &both, &all] {
        assert_eq!(poll(subscriber), Poll::Pending);
    }
}

#[test]
fn missed_events_are_a_resync_that_swallows_what_is_marked() {
    let hub = Hub::new(9);
    let subscriber = hub.subscribe(false).unwrap();
    hub.follow(&subscriber, name("a"));
    hub.changed(&name("a"));
    hub.resync();
    hub.changed(&name("a"));
    assert_eq!(poll(&subscriber), Poll::Ready(Changed::Resync));
    assert_eq!(poll(&subscriber), Poll::Pending);
    hub.changed(&name("a"));
    assert_eq!(poll(&subscriber), operations(&["a"]));
}

#[test]
fn too_many_changes_for_one_subscriber_are_a_resync() {
    let hub = Hub::new(9);
    let all = hub.subscribe(true).unwrap();
    for id in 0..=Changes::MAX_FOLLOWED {
        hub.changed(&name(&id.to_string()));
    }
    assert_eq!(poll(&all), Poll::Ready(Changed::Resync));
    assert_eq!(poll(&all), Poll::Pending);
    for id in 0..Changes::MAX_FOLLOWED {
        hub.changed(&name(&id.to_string()));
    }
    let Poll::Ready(Changed::Operations(names)) = poll(&all) else {
        panic!("the limit itself is no resync");
    };
    assert_eq!(names.len(), Changes::MAX_FOLLOWED);
}

#[test]
fn the_end_is_received_by_early_and_late_subscribers() {
    let hub = Hub::new(9);
    let early = hub.subscribe(false).unwrap();
    hub.close();
    let late = hub.subscribe(true).unwrap();
    for subscriber in [&early, &late] {
        for _ in 0..2 {
            assert_eq!(poll(subscriber), Poll::Ready(Changed::Closing));
        }
    }
}

#[test]
fn subscribers_are_limited_and_leave_nothing_behind() {
    let hub = Hub::new(2);
    let [first, second] = [false, true].map(|all| hub.subscribe(all).unwrap());
    assert!(hub.subscribe(false).is_none());
    hub.follow(&first, name("a"));
    hub.changed(&name("a"));
    hub.unfollow(&first, &name("a"));
    assert_eq!(
        poll(&first),
        Poll::Pending,
        "nothing of what is not followed"
    );
    for subscriber in [&first, &second] {
        hub.unsubscribe(subscriber);
    }
    let subscribers = hub.lock();
    assert!(subscribers.all.is_empty());
    assert!(subscribers.of_all.is_empty());
    assert!(subscribers.by_name.is_empty());
    drop(subscribers);
    assert!(hub.subscribe(false).is_some());
}

#[test]
fn a_waiting_subscriber_is_woken_by_each_kind_of_news() {
    #[derive(Default)]
    struct Counter(AtomicUsize);
    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let hub = Hub::new(9);
    let subscriber = hub.subscribe(false).unwrap();
    hub.follow(&subscriber, name("a"));
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(counter.clone());
    let news: [&dyn Fn(); 3] = [&|| hub.changed(&name("a")), &|| hub.resync(), &|| {
        hub.close();
    }];
    for (n, news) in news.into_iter().enumerate() {
        assert_eq!(subscriber.poll(&Context::from_waker(&waker)), Poll::Pending);
        hub.changed(&name("b"));
        news();
        assert_eq!(counter.0.load(Ordering::SeqCst), n + 1);
        assert!(poll(&subscriber).is_ready());
    }
}
