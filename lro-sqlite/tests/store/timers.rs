//! Operations that wait for long: in the file alone, until their time comes near.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{
    Claimed, Command, MemoryStore, NewOperation, OperationState, OperationStore, StepKind,
    StepOutcome, StepWrite, Update,
};
use lro_sqlite::{Durability, SqliteStore};
use proptest::prelude::*;
use uuid::Uuid;

use crate::fixture::*;
use crate::steps::*;

/// Longer than a test lasts, so that the two stores lose no worker at different times.
const LONG: Duration = Duration::from_secs(1_000 * 86_400);

const HOUR: Duration = Duration::from_secs(3_600);

const NAMES: u8 = 6;

/// The seconds of a timer, of a pause and of the clock.
const SECONDS: [u64; 9] = [0, 1, 1_799, 1_801, 3_600, 3_601, 7_300, 90_000, 3_000_000];

#[derive(Clone, Copy, Debug)]
enum Step {
    Start { seconds: u64 },
    Sleep { seconds: u64 },
    Ask { seconds: Option<u64> },
    Complete,
    Block { seconds: u64 },
    Unblock,
    Retry { seconds: u64 },
    Cancel,
    Finish,
    Claim,
    Advance { seconds: u64 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let seconds = || prop::sample::select(&SECONDS);
    prop_oneof![
        3 => seconds().prop_map(|seconds| Step::Start { seconds }),
        4 => seconds().prop_map(|seconds| Step::Sleep { seconds }),
        2 => prop::option::of(seconds()).prop_map(|seconds| Step::Ask { seconds }),
        2 => Just(Step::Complete),
        1 => seconds().prop_map(|seconds| Step::Block { seconds }),
        1 => Just(Step::Unblock),
        1 => seconds().prop_map(|seconds| Step::Retry { seconds }),
        1 => Just(Step::Cancel),
        1 => Just(Step::Finish),
        5 => Just(Step::Claim),
        4 => seconds().prop_map(|seconds| Step::Advance { seconds }),
        2 => Just(Step::Reopen),
    ]
}

fn names(claimed: &Claimed) -> Vec<&str> {
    let operations = claimed.operations.iter();
    operations.map(|it| it.name.operation_id()).collect()
}

/// The file beside a store that has everything in memory.
struct Pair {
    fixture: Fixture,
    memory: MemoryStore,
    store: Option<SqliteStore>,
    uids: u128,
}

impl Pair {
    async fn new() -> Self {
        let fixture = Fixture::new();
        let mut pair = Self {
            memory: MemoryStore::with_clock(fixture.clock.clone()),
            fixture,
            store: None,
            uids: 0,
        };
        pair.open().await;
        pair
    }

    async fn open(&mut self) {
        // The lock has to be free.
        self.store = None;
        let builder = SqliteStore::builder(self.fixture.path()).clock(self.fixture.clock.clone());
        let opened = builder.durability(Durability::Normal).open().await;
        self.store = Some(opened.unwrap());
    }

    fn store(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }

    fn at(&self, seconds: u64) -> Timestamp {
        let now = lro_core::Clock::now(&*self.fixture.clock);
        now.saturating_add(Duration::from_secs(seconds))
    }

    async fn update(&self, update: Update) {
        let wanted = self.memory.update(vec![update.clone()]).await.unwrap();
        assert_eq!(self.store().update(vec![update]).await.unwrap(), wanted);
    }

    async fn claim(&self) {
        let claim = || lro_core::store::Claim {
            lease_duration: LONG,
            ..claim_for(METHOD, 100)
        };
        let wanted = self.memory.claim(claim()).await.unwrap();
        let found = self.store().claim(claim()).await.unwrap();
        assert_eq!(names(&found), names(&wanted));
        assert_eq!(found.operations, wanted.operations);
        let Claimed { next_in, .. } = wanted;
        // At the latest, and not over and over.
        let is_right = |found: Option<Duration>, latest: Duration| {
            found.is_some_and(|it| it <= latest && it.is_zero() == latest.is_zero())
        };
        assert!(
            next_in.is_none_or(|latest| is_right(found.next_in, latest)),
            "{:?}, but there is something in {next_in:?}",
            found.next_in
        );
    }

    async fn step(&mut self, number: u8, step: Step) {
        let name: lro_core::OperationName = format!("operations/{number}").parse().unwrap();
        let record = self.memory.get(&name).await.unwrap();
        let fence = record.as_ref().map_or(0, |record| record.fence);
        let update = |command| Update::by_name(name.clone(), command);
        // Each run has steps of its own.
        let (nap, promise) = (format!("s{fence}"), format!("p{fence}"));
        let asked = StepWrite::begun(promise.parse().unwrap(), StepKind::Promise);
        match step {
            Step::Start { seconds } => {
                self.uids += 1;
                let request = payload("request", 10);
                let uid = Uuid::from_u128(self.uids);
                let mut operation = NewOperation::new(uid, name.clone(), METHOD, request);
                operation.ready_time = Some(self.at(seconds));
                let wanted = self.memory.start(vec![operation.clone()]).await.unwrap();
                assert_eq!(self.store().start(vec![operation]).await.unwrap(), wanted);
            }
            Step::Sleep { seconds } => {
                let nap_for = sleep(&nap, Duration::from_secs(seconds));
                let update = update(suspend(fence, &nap)).with_steps(vec![nap_for]);
                self.update(update).await;
            }
            Step::Ask { seconds } => {
                let command = Command::Suspend {
                    fence,
                    waits: vec![promise.parse().unwrap()],
                    ready_by: seconds.map(|seconds| self.at(seconds)),
                    metadata: None,
                };
                self.update(update(command).with_steps(vec![asked])).await;
            }
            Step::Complete => {
                let outcome = StepOutcome::Response(payload("Yes", 1));
                let key = promise.parse().unwrap();
                self.update(update(Command::Complete { key, outcome }))
                    .await;
            }
            Step::Block { seconds } => {
                let command = Command::Block {
                    fence,
                    message: "does not fit".to_owned(),
                    delay: Duration::from_secs(seconds),
                    ready_by: None,
                    metadata: None,
                };
                self.update(update(command)).await;
            }
            Step::Unblock => self.update(update(Command::Unblock)).await,
            Step::Retry { seconds } => {
                let command = Command::Retry {
                    fence,
                    error: lro_core::pb::rpc::Status::default(),
                    delay: Duration::from_secs(seconds),
                    metadata: None,
                };
                self.update(update(command)).await;
            }
            Step::Cancel => self.update(update(Command::cancel())).await,
            Step::Finish => self.update(update(succeed(fence))).await,
            Step::Claim => self.claim().await,
            Step::Advance { seconds } => self.fixture.clock.advance(Duration::from_secs(seconds)),
            Step::Reopen => {
                self.release_all().await;
                self.open().await;
            }
        }
    }

    /// Requeues the running operations, as opening the file would.
    async fn release_all(&self) {
        for number in 0..NAMES {
            let name: lro_core::OperationName = format!("operations/{number}").parse().unwrap();
            let record = self.memory.get(&name).await.unwrap();
            if let Some(record) = record.filter(|record| record.state.is_running()) {
                let (fence, metadata) = (record.fence, None);
                let release = Command::Release { fence, metadata };
                self.update(Update::by_name(name, release)).await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// steps:W2 steps:W5 steps:W6
    #[test]
    fn claims_find_what_a_store_in_memory_finds(
        steps in prop::collection::vec((0..NAMES, step()), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new().await;
            for (number, step) in steps {
                pair.step(number, step).await;
            }
            pair.claim().await;
            pair.release_all().await;
            pair.fixture.clock.advance(Duration::from_secs(4_000_000));
            pair.claim().await;
        });
    }
}

/// steps:W2 steps:W5
#[tokio::test]
async fn many_timers_that_end_together_are_claimed_together() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let names: Vec<_> = (0..1_500).map(|n| format!("operations/{n}")).collect();
    let operations = names.iter().map(|name| {
        let mut operation = new(name);
        operation.claimed_by = Some((worker(), LEASE));
        operation
    });
    store.start(operations.collect()).await.unwrap();
    let night = Duration::from_secs(8 * 3_600);
    let suspended = names.iter().map(|name| {
        let nap = vec![sleep("s", night)];
        Update::by_name(name.parse().unwrap(), suspend(1, "s")).with_steps(nap)
    });
    store.update(suspended.collect()).await.unwrap();
    assert_eq!(claim(&store, 9).await.next_in, Some(night));
    drop(store);
    let store = fixture.open().await;
    assert_eq!(claim(&store, 9).await.next_in, Some(night));
    let second = Duration::from_secs(1);
    fixture.clock.advance(night - second);
    assert_eq!(claim(&store, 9).await.next_in, Some(second));
    fixture.clock.advance(second);
    let mut claimed = 0;
    loop {
        let next = claim(&store, 400).await.operations.len();
        claimed += next;
        if next == 0 {
            break;
        }
    }
    assert_eq!(claimed, names.len());
}

/// steps:W2 steps:W6
#[tokio::test]
async fn lists_counts_and_backlogs_show_what_waits_for_long() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let mut scheduled = new("operations/scheduled");
    scheduled.ready_time = Some(Timestamp::from_micros(0).saturating_add(2 * HOUR));
    start(&store, scheduled).await;
    running(&store, "operations/asked").await;
    let asked = StepWrite::begun("p".parse().unwrap(), StepKind::Promise);
    with_steps(&store, "operations/asked", suspend(1, "p"), vec![asked])
        .await
        .unwrap();
    running(&store, "operations/running").await;
    start(&store, new("operations/ready")).await;
    let filter = |text: &str| {
        let schema = lro_core::filter::Schema::default();
        lro_core::filter::Filter::parse(text, &schema).unwrap()
    };
    let list = async |text: &str| {
        let parent = lro_core::ParentName::default();
        let mut query = lro_core::store::ListQuery::new(parent, 9);
        query.filter = filter(text);
        let page = store.list(query).await.unwrap();
        let mut names: Vec<_> = page
            .records
            .iter()
            .map(|it| it.name.operation_id().to_owned())
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        list("state = PENDING").await,
        ["asked", "ready", "scheduled"]
    );
    assert_eq!(list("state = RUNNING").await, ["running"]);
    assert_eq!(list("done = false").await.len(), 4);
    let query = lro_core::store::CountQuery::new(lro_core::ParentName::default());
    let counts = store.count(query).await.unwrap();
    let counts: Vec<_> = counts
        .groups
        .iter()
        .map(|it| (it.state, it.count))
        .collect();
    let wanted = [(OperationState::Pending, 3), (OperationState::Running, 1)];
    assert_eq!(counts, wanted);
    let backlog = async |after: Duration| {
        let now = Timestamp::from_micros(0).saturating_add(after);
        let found = store.backlog(now, 9).await.unwrap();
        found.iter().map(|it| it.count).sum::<usize>()
    };
    assert_eq!((backlog(HOUR).await, backlog(2 * HOUR).await), (1, 2));
}

#[tokio::test]
async fn timers_that_cannot_be_read_delay_no_other_operation() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for (name, after) in [("operations/near", HOUR), ("operations/far", 3 * HOUR)] {
        let mut operation = new(name);
        operation.ready_time = Some(Timestamp::from_micros(0).saturating_add(after));
        start(&store, operation).await;
    }
    let index = "SELECT sql FROM sqlite_schema WHERE name = 'operation_timer'";
    let index: String = fixture
        .outsider()
        .query_row(index, (), |row| row.get(0))
        .unwrap();
    let outsider = |sql: &str| fixture.outsider().execute_batch(sql).unwrap();
    outsider("DROP INDEX operation_timer");
    fixture.clock.advance(3 * HOUR);
    let claimed = claim(&store, 9).await;
    assert_eq!(names(&claimed), ["near"]);
    // It comes back for the others when the store looks again.
    update(&store, "operations/near", succeed(1)).await.unwrap();
    let minute = Duration::from_secs(60);
    assert_eq!(claim(&store, 9).await.next_in, Some(minute));
    outsider(&index);
    assert_eq!(names(&claim(&store, 9).await), <[&str; 0]>::default());
    fixture.clock.advance(minute);
    assert_eq!(names(&claim(&store, 9).await), ["far"]);
}
