//! Pseudo-random commands over few names and keys, so that they meet.

mod steps;

use std::collections::HashMap;
use std::time::Duration;

use lro_core::store::{
    Actor, Claim, Command, NewOperation, OnCrash, OperationOutcome, OperationRecord, Suspects,
    Update,
};
use lro_core::{OperationName, Timestamp};
use prost_types::Any;
use uuid::Uuid;

use crate::random::Random;
use crate::store::build::{METHOD, OTHER, failure, labels, name, request_id, uid, worker};

const PARENTS: [&str; 5] = ["", "p", "p/q", "pq", "ü"];
const IDS: [&str; 8] = ["0", "1", "2", "3", "A", "a", "%", "é"];
const METHODS: [&str; 3] = [METHOD, OTHER, "/test.Üb/M"];
const TEXTS: [&str; 6] = ["", "a", "nul\0", "'\"\\", "ü\u{1f680}", "%_"];

/// One call of a store, before its turn.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Start(Vec<NewOperation>),
    Claim(Claim),
    Update(Vec<Update>),
    Purge,
    Walk { limit: usize },
}

/// Writes the calls of one seed.
pub(super) struct Script {
    random: Random,
    uids: u64,
    /// The uid and the last fence seen of each operation, so that most commands of holders are theirs.
    known: HashMap<OperationName, (Uuid, u64)>,
    /// Those that were running when they were seen last.
    running: Vec<OperationName>,
    /// Whether the store keeps steps.
    keeps_steps: bool,
}

impl Script {
    pub(super) fn new(seed: u64, keeps_steps: bool) -> Self {
        Self {
            random: Random::new(seed),
            uids: 0,
            known: HashMap::new(),
            running: Vec::new(),
            keeps_steps,
        }
    }

    /// Every name that a script may use.
    pub(super) fn names() -> impl Iterator<Item = OperationName> {
        let below = |parent: &'static str| IDS.map(|id| operation_name(parent, id));
        PARENTS.into_iter().flat_map(below)
    }

    pub(super) const fn parents() -> [&'static str; 5] {
        PARENTS
    }

    /// Learns the fence that a holder has.
    pub(super) fn learn(&mut self, record: &OperationRecord) {
        let known = (record.uid, record.fence);
        self.known.insert(record.name.clone(), known);
        self.running.retain(|name| *name != record.name);
        if record.state.is_running() {
            self.running.push(record.name.clone());
        }
    }

    /// The time of the next step: mostly later, at times the same or earlier.
    pub(super) fn next_time(&mut self, now: Timestamp) -> Timestamp {
        let seconds = self.random.pick(&[0, 0, 0, 1, 5, 40, 300]);
        let micros = self.random.pick(&[0, 1, 250_001]);
        let step = Duration::from_micros(seconds * 1_000_000 + micros);
        if self.random.percent(4) {
            return Timestamp::from_micros(now.as_micros() - step.as_micros() as i64);
        }
        now.saturating_add(step)
    }

    pub(super) fn next_step(&mut self) -> Step {
        match self.random.below(100) {
            0..30 => Step::Start(self.batch(Self::operation)),
            30..50 => Step::Claim(self.claim()),
            50..88 => Step::Update(self.batch(Self::update)),
            88..93 => Step::Purge,
            _ => Step::Walk {
                limit: self.limit(),
            },
        }
    }

    pub(super) fn limit(&mut self) -> usize {
        self.random.pick(&[1, 2, 3, 7, 50])
    }

    fn batch<T>(&mut self, element: impl Fn(&mut Self) -> T) -> Vec<T> {
        let count = 1 + self.random.below(4);
        (0..count).map(|_| element(self)).collect()
    }

    fn operation(&mut self) -> NewOperation {
        self.uids += 1;
        let (name, method) = (self.name(), self.random.pick(&METHODS));
        let mut new = NewOperation::new(uid(self.uids), name, method, self.any());
        new.metadata = self.maybe_any();
        if self.random.percent(40) {
            let id = self.random.pick(&TEXTS);
            new.request_id = request_id(id, self.random.below(2) as u8);
        }
        if self.random.percent(30) {
            new.exclusive_key = Some(self.random.pick(&TEXTS).to_owned());
        }
        if self.random.percent(40) {
            new.labels = labels([(self.random.pick(&TEXTS), self.random.pick(&TEXTS))]);
        }
        if self.random.percent(20) {
            let after = self.random.below(200_000_000);
            let time = crate::ManualClock::START.saturating_add(Duration::from_micros(after));
            new.ready_time = Some(time);
        }
        if self.random.percent(30) {
            new.claimed_by = Some((self.worker(), self.lease_duration()));
        }
        new.policy.max_attempts = self.random.pick(&[1, 2, 10]);
        new.policy.retain = Duration::from_secs(self.random.pick(&[0, 20, 2_000]));
        new.policy.on_crash = self.random.pick(&[OnCrash::Resume, OnCrash::Abort]);
        new
    }

    fn claim(&mut self) -> Claim {
        let mut methods = std::collections::BTreeMap::new();
        for method in METHODS {
            if self.random.percent(70) {
                methods.insert(method.to_owned(), self.random.below(4) as usize);
            }
        }
        Claim {
            worker: self.worker(),
            methods,
            limit: self.random.pick(&[1, 2, 5, 100]),
            lease_duration: self.lease_duration(),
            suspects: Suspects {
                max_together: self.random.pick(&[0, 1, 9]),
                trial_after: self.random.pick(&[
                    None,
                    Some(Duration::ZERO),
                    Some(Duration::from_secs(3)),
                ]),
            },
            expires_leases: self.random.percent(80),
        }
    }

    fn update(&mut self) -> Update {
        let mut name = self.name();
        let has_steps = self.keeps_steps && self.random.percent(40);
        if has_steps && !self.running.is_empty() && self.random.percent(80) {
            name = self.running[self.random.below(self.running.len() as u64) as usize].clone();
        }
        let known = self.known.get(&name).copied();
        let fence = self.fence(known.map_or(1, |(_, fence)| fence));
        let (command, steps) = match has_steps {
            true => self.with_steps(fence),
            false => (self.command(fence), Vec::new()),
        };
        let update = match known {
            Some((uid, _)) if self.random.percent(70) => Update::by_uid(name, uid, command),
            _ => Update::by_name(name, command),
        };
        update.with_steps(steps)
    }

    fn fence(&mut self, known: u64) -> u64 {
        match self.random.below(10) {
            0 => known + 1,
            1 => known.saturating_sub(1),
            _ => known,
        }
    }

    fn command(&mut self, fence: u64) -> Command {
        let lease_duration = self.lease_duration();
        match self.random.below(100) {
            0..5 => Command::Claim {
                worker: self.worker(),
                lease_duration,
            },
            5..20 => Command::Renew {
                fence,
                lease_duration,
                metadata: self.maybe_any(),
            },
            20..30 => Command::Checkpoint {
                fence,
                lease_duration,
                checkpoint: self.any(),
                metadata: self.maybe_any(),
            },
            30..50 => Command::Finish {
                fence,
                outcome: self.outcome(),
                metadata: self.maybe_any(),
            },
            50..58 => Command::Retry {
                fence,
                error: failure(self.random.pick(&[0, 1, 14])),
                delay: Duration::from_micros(self.random.pick(&[0, 1, 3_000_000])),
                metadata: self.maybe_any(),
            },
            58..66 => Command::Release {
                fence,
                metadata: self.maybe_any(),
            },
            66..68 => Command::Expire,
            68..70 => Command::ExpireShared,
            70..84 => Command::Cancel(self.actor()),
            _ => Command::Delete(self.actor()),
        }
    }

    fn actor(&mut self) -> Actor {
        Actor {
            principal: self.random.pick(&TEXTS).to_owned(),
            reason: self.random.pick(&TEXTS).to_owned(),
        }
    }

    fn outcome(&mut self) -> OperationOutcome {
        match self.random.below(4) {
            0 => OperationOutcome::Cancelled,
            1 => OperationOutcome::Error(failure(self.random.pick(&[0, 1, 5, 99]))),
            _ => OperationOutcome::Response(self.any()),
        }
    }

    fn name(&mut self) -> OperationName {
        operation_name(self.random.pick(&PARENTS), self.random.pick(&IDS))
    }

    fn worker(&mut self) -> lro_core::store::WorkerId {
        worker(self.random.below(3))
    }

    fn lease_duration(&mut self) -> Duration {
        Duration::from_micros(self.random.pick(&[1, 30_000_000, 30_000_001]))
    }

    fn maybe_any(&mut self) -> Option<Any> {
        self.random.percent(50).then(|| self.any())
    }

    fn any(&mut self) -> Any {
        let length = self.random.pick(&[0, 1, 9, 300]);
        Any {
            type_url: format!("type.googleapis.com/{}", self.random.pick(&TEXTS)),
            value: (0..length).map(|_| self.random.next() as u8).collect(),
        }
    }
}

fn operation_name(parent: &str, id: &str) -> OperationName {
    match parent {
        "" => name(&format!("operations/{id}")),
        parent => name(&format!("{parent}/operations/{id}")),
    }
}
