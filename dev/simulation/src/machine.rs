//! The store and its state machine alone, a virtual clock, no engine: every answer of a random walk
//! is compared with what the [model](crate::model) says.

mod claims;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use lro_core::pb::rpc::Status;
use lro_core::store::{
    self, Change, Command, ExecutionPolicy, ListQuery, MemoryStore, NewOperation, OnCrash,
    OperationOutcome, OperationState, OperationStore as _, Refusal, RequestId, StartError, Update,
};
use lro_core::{Clock, OperationName, ParentName, Timestamp, pack};
use prost_types::Any;
use uuid::Uuid;

use crate::model::{Act, Op, Policy, Verdict, digest};
use crate::random::Random;

const METHOD: &str = "/simulation.Service/Run";
const NAMES: u64 = 40;
const POLICY: Policy = Policy {
    max_attempts: 3,
    abort_on_crash: false,
};

#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Clone, Debug)]
struct Known {
    op: Op,
    uid: Uuid,
    create_time: i64,
    ready: i64,
    lease: Option<i64>,
    /// The worker that holds the lease, if any.
    worker: Uuid,
    /// Whether that worker has lost another operation since the lease was renewed.
    shared: bool,
    purge: Option<i64>,
    key: Option<String>,
    request: Option<RequestId>,
}

struct Walk {
    random: Random,
    clock: Arc<Hand>,
    store: MemoryStore,
    known: BTreeMap<String, Known>,
    uids: u128,
    payloads: u64,
}

/// Walks `steps` steps. Returns the number of operations that finished on the way.
///
/// # Errors
///
/// A difference between the answers of the store and the model.
pub fn walk(seed: u64, steps: u64) -> Result<u64, String> {
    let clock = Arc::new(Hand(AtomicI64::new(1_700_000_000_000_000)));
    let mut walk = Walk {
        random: Random::new(seed, 7),
        store: MemoryStore::with_clock(clock.clone()),
        clock,
        known: BTreeMap::new(),
        uids: 0,
        payloads: 0,
    };
    let mut ended = 0;
    for step in 0..steps {
        let answer = match walk.random.below(20) {
            0..3 => walk.pass(),
            3..6 => walk.start(),
            6..9 => walk.claim(),
            9..17 => walk.update(&mut ended),
            17 => walk.get(),
            18 => walk.list(),
            _ => walk.purge(),
        };
        answer.map_err(|what| format!("seed {seed}, step {step}: {what}"))?;
    }
    walk.finish()
        .map_err(|what| format!("seed {seed}, at the end: {what}"))?;
    Ok(ended)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, store: &T, model: &T) -> Result<(), String> {
    match store == model {
        true => Ok(()),
        false => Err(format!(
            "{what}: the store says {store:?}, the model {model:?}"
        )),
    }
}

/// Stores in memory answer at once.
fn now<T>(future: impl Future<Output = T>) -> Result<T, String> {
    future
        .now_or_never()
        .ok_or_else(|| "the store has waited".to_owned())
}

impl Walk {
    fn time(&self) -> i64 {
        self.clock.0.load(Ordering::SeqCst)
    }

    /// Time passes; now and then it jumps, also back.
    fn pass(&mut self) -> Result<(), String> {
        const HOUR: i64 = 3_600_000_000;
        let by = match self.random.below(200) {
            0 => HOUR,
            1 => -HOUR,
            _ => self.random.below(3_000_000) as i64,
        };
        self.clock.0.fetch_add(by, Ordering::SeqCst);
        Ok(())
    }

    fn name(&mut self) -> String {
        format!("operations/n{}", self.random.below(NAMES))
    }

    fn payload(&mut self) -> Any {
        self.payloads += 1;
        pack(&prost_types::Timestamp {
            seconds: self.payloads as i64,
            nanos: 0,
        })
    }

    fn start(&mut self) -> Result<(), String> {
        let time = self.time();
        let name = self.name();
        self.uids += 1;
        let uid = Uuid::from_u128(self.uids);
        let parsed: OperationName = name.parse().map_err(|_| name.clone())?;
        let mut new = NewOperation::new(uid, parsed, METHOD, pack(&()));
        new.metadata = self.random.per_mille(500).then(|| self.payload());
        new.policy = ExecutionPolicy {
            max_attempts: POLICY.max_attempts,
            on_crash: OnCrash::Resume,
            retain: Duration::from_secs(20),
        };
        new.exclusive_key = self
            .random
            .per_mille(200)
            .then(|| format!("k{}", uid.as_u128() % 3));
        new.request_id = self.random.per_mille(300).then(|| RequestId {
            id: format!("q{}", self.random.below(10)),
            fingerprint: [self.random.below(2) as u8; 32],
        });
        let later = self.random.per_mille(200);
        let ready = if later {
            time + self.random.below(5_000_000) as i64
        } else {
            time
        };
        new.ready_time = later.then(|| Timestamp::from_micros(ready));
        let claims = !later && self.random.per_mille(300);
        new.claimed_by = claims.then(|| (store::WorkerId::from_uuid(uid), Duration::from_secs(5)));

        let mut fresh = Known {
            op: Op::new(new.uid.as_u128(), new.metadata.as_ref().map(digest)),
            uid,
            create_time: time,
            ready,
            lease: None,
            worker: Uuid::nil(),
            shared: false,
            purge: None,
            key: new.exclusive_key.clone(),
            request: new.request_id.clone(),
        };
        if claims {
            fresh.op.act(Act::Claim, POLICY).ok();
            fresh.lease = Some(time + 5_000_000);
            fresh.worker = uid;
        }
        let by_request = new.request_id.as_ref().and_then(|request| {
            let is_it =
                |known: &Known| known.request.as_ref().is_some_and(|it| it.id == request.id);
            self.known.iter().find(|(_, known)| is_it(known))
        });
        let holder = fresh.key.as_ref().and_then(|key| {
            let holds =
                |known: &Known| known.key.as_ref() == Some(key) && known.op.verdict.is_none();
            self.known.iter().find(|(_, known)| holds(known))
        });
        let named = |name: &str| name.parse().map_err(|_| name.to_owned());
        let wanted = match (by_request, self.known.contains_key(&name), holder) {
            (Some((other, known)), ..) if known.request != new.request_id => {
                Err(StartError::RequestIdReused(named(other)?))
            }
            (Some((_, known)), ..) => Ok((known.op.clone(), true)),
            (None, true, _) => Err(StartError::AlreadyExists(named(&name)?)),
            (None, false, Some((other, _))) => Err(StartError::ExclusiveKeyHeld(named(other)?)),
            (None, false, None) => Ok((fresh.op.clone(), false)),
        };
        let answer = now(self.store.start(vec![new]))?
            .map_err(|error| error.to_string())?
            .pop();
        let answer = answer.ok_or("no answer to a start")?;
        let answer = answer.map(|started| (Op::of(&started.record), started.existing));
        same("start", &answer, &wanted)?;
        if matches!(wanted, Ok((_, false))) {
            self.known.insert(name, fresh);
        }
        Ok(())
    }

    /// Applies a command to an operation of the model.
    fn act(
        &mut self,
        name: &str,
        act: Act,
        delay: i64,
    ) -> Result<(Change, OperationState, u64), Refusal> {
        let time = self.time();
        let known = self.known.get_mut(name).ok_or(Refusal::NotFound)?;
        let change = known.op.act(act, POLICY)?;
        let answer = (change, known.op.state, known.op.revision);
        match act {
            Act::Claim | Act::Renew(..) | Act::Checkpoint(..) => {
                known.shared &= known.lease == Some(time + 5_000_000);
                known.lease = Some(time + 5_000_000);
                if matches!(act, Act::Claim) {
                    known.worker = Uuid::nil();
                }
            }
            _ if !known.op.is_held() => known.lease = None,
            _ => {}
        }
        if known.op.state == OperationState::Pending && !matches!(act, Act::Delete) {
            known.ready = time + delay;
        }
        if known.op.verdict.is_some() && known.purge.is_none() {
            known.purge = Some(time + 20_000_000);
        }
        if change == Change::Removed {
            self.known.remove(name);
        }
        Ok(answer)
    }

    fn update(&mut self, ended: &mut u64) -> Result<(), String> {
        let count = self.random.between(1, 4);
        let (mut updates, mut wanted) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let name = self.name();
            let fence = self.known.get(&name).map_or(1, |known| known.op.fence);
            let fence = fence.saturating_sub(u64::from(self.random.per_mille(150)));
            let metadata = self.random.per_mille(300).then(|| self.payload());
            let noted = metadata.as_ref().map(digest);
            let lease_duration = Duration::from_secs(5);
            let delay = self.random.below(4_000_000);
            let (command, act) = match self.random.below(16) {
                0..4 => (
                    Command::Renew {
                        fence,
                        lease_duration,
                        metadata,
                    },
                    Act::Renew(fence, noted),
                ),
                4..6 => {
                    let checkpoint = self.payload();
                    let act = Act::Checkpoint(fence, digest(&checkpoint), noted);
                    (
                        Command::Checkpoint {
                            fence,
                            lease_duration,
                            checkpoint,
                            metadata,
                        },
                        act,
                    )
                }
                6..10 => {
                    let response = self.payload();
                    let code = self.random.pick(&[0, 1, 5, 13]);
                    let (outcome, verdict) = match self.random.below(4) {
                        0 => (OperationOutcome::Cancelled, Verdict::Error(1)),
                        1 => (
                            OperationOutcome::Error(Status {
                                code,
                                ..Status::default()
                            }),
                            Verdict::Error(code),
                        ),
                        _ => (
                            OperationOutcome::Response(response.clone()),
                            Verdict::Response(digest(&response)),
                        ),
                    };
                    (
                        Command::Finish {
                            fence,
                            outcome,
                            metadata,
                        },
                        Act::Finish(fence, verdict, noted),
                    )
                }
                10..12 => {
                    let error = Status {
                        code: 14,
                        ..Status::default()
                    };
                    let delay = Duration::from_micros(delay);
                    let act = Act::Retry(fence, 14, noted);
                    (
                        Command::Retry {
                            fence,
                            error,
                            delay,
                            metadata,
                        },
                        act,
                    )
                }
                12 => (
                    Command::Release { fence, metadata },
                    Act::Release(fence, noted),
                ),
                13..15 => (Command::cancel(), Act::Cancel),
                _ => (Command::delete(), Act::Delete),
            };
            let is_retry = matches!(act, Act::Retry(..));
            let delay = if is_retry { delay as i64 } else { 0 };
            let answer = self.act(&name, act, delay);
            *ended += u64::from(matches!(answer, Ok((_, state, _)) if state.is_done()));
            wanted.push(answer);
            let name = name.parse().map_err(|_| name.clone())?;
            updates.push(Update::by_name(name, command));
        }
        let answers = now(self.store.update(updates))?.map_err(|error| error.to_string())?;
        let answers = answers.into_iter();
        let got: Vec<_> = answers
            .map(|answer| answer.map(|it| (it.change, it.state, it.revision)))
            .collect();
        same("update", &got, &wanted)
    }

    fn get(&mut self) -> Result<(), String> {
        let name = self.name();
        let wanted = self.known.get(&name).map(|known| known.op.clone());
        let wanted = wanted.filter(|op| !op.deleted);
        let parsed = name.parse().map_err(|_| name.clone())?;
        let got = now(self.store.get(&parsed))?.map_err(|error| error.to_string())?;
        same("get", &got.as_ref().map(Op::of), &wanted)
    }

    fn list(&mut self) -> Result<(), String> {
        let visible = self.known.values().filter(|known| !known.op.deleted);
        let mut wanted: Vec<_> = visible.collect();
        wanted.sort_unstable_by_key(|known| Reverse((known.create_time, known.uid)));
        let wanted: Vec<_> = wanted.into_iter().map(|known| known.uid).collect();
        let limit = self.random.between(1, 30) as usize;
        let (mut got, mut after) = (Vec::new(), None);
        loop {
            let mut query = ListQuery::new(ParentName::default(), limit);
            query.after = after;
            let page = now(self.store.list(query))?.map_err(|error| error.to_string())?;
            got.extend(page.records.iter().map(|record| record.uid));
            after = page.next;
            if after.is_none() {
                return same("list", &got, &wanted);
            }
        }
    }

    fn purge(&mut self) -> Result<(), String> {
        let time = self.time();
        let limit = self.random.between(1, 6) as usize;
        let over = self.known.iter().filter_map(|(name, known)| {
            let at = known.purge.filter(|at| *at <= time)?;
            Some((at, known.uid, name.clone()))
        });
        let mut over: Vec<_> = over.collect();
        over.sort();
        over.truncate(limit);
        for (_, _, name) in &over {
            self.known.remove(name);
        }
        let got = now(self.store.purge(limit))?.map_err(|error| error.to_string())?;
        same("purge", &got, &over.len())
    }

    /// Liveness: with a worker that is there, everything ends.
    fn finish(&mut self) -> Result<(), String> {
        for _ in 0..2_000 {
            self.clock.0.fetch_add(300_000_000, Ordering::SeqCst);
            self.claim()?;
            let held = self.known.iter().filter(|(_, known)| known.op.is_held());
            let held: Vec<_> = held
                .map(|(name, known)| (name.clone(), known.op.fence))
                .collect();
            for (name, fence) in held {
                let response = self.payload();
                let act = Act::Finish(fence, Verdict::Response(digest(&response)), None);
                let wanted = self.act(&name, act, 0).is_ok();
                let name = name.parse().map_err(|_| name.clone())?;
                let command = Command::Finish {
                    fence,
                    outcome: OperationOutcome::Response(response),
                    metadata: None,
                };
                let update = Update::by_name(name, command);
                let got =
                    now(self.store.update(vec![update]))?.map_err(|error| error.to_string())?;
                same("finish", &got[0].is_ok(), &wanted)?;
            }
            if self.known.values().all(|known| known.op.verdict.is_some()) {
                return Ok(());
            }
        }
        Err("some operations never end".to_owned())
    }
}
