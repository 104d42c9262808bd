//! Bodies of durable calls, under faults: crashes, cuts, drains and lost answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use lro_core::store::{OperationRecord, OperationState};
use lro_server::steps::{Either, Retry, Step};
use lro_server::{HandlerError, OperationContext};
use tonic::Status;

use crate::bug::Bug;
use crate::client::start_script;
use crate::link::Link;
use crate::plan::Plan;
use crate::random::Random;
use crate::run::{Cluster, Report, report};
use crate::service::{Answer, Job, Progress, pause_of, sleep};
use crate::world::{Moment, World};

/// The longest that the operations of a run take after the faults.
const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

/// The results that bodies have got of their durable calls, by operation and call.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The value that the body got first, and the claim of that run.
    passed: BTreeMap<(String, String), (u64, u64)>,
    /// When sleeps were first called.
    slept: BTreeMap<(String, String), Moment>,
}

/// Which bodies run under which faults.
#[derive(Clone, Debug)]
pub(crate) struct DurablePlan {
    plan: Plan,
    operations: u64,
    faults: u64,
}

impl DurablePlan {
    /// Draws a plan.
    pub(crate) fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed, 50);
        let lease = Duration::from_secs(random.between(2, 9));
        let workers = random.between(1, 5) as usize;
        let mut plan = Plan::quiet(seed, bug, workers, lease);
        plan.has_steps = true;
        plan.concurrency = random.between(1, 5) as usize;
        plan.policy.max_attempts = 50;
        plan.lost = random.pick(&[0, 10, 50]);
        plan.slow = random.pick(&[0, 5, 20]);
        Self {
            plan,
            operations: random.between(2, 9),
            faults: random.below(9),
        }
    }

    /// Runs it.
    pub(crate) fn simulate(self) -> Report {
        crate::run::block_on(async {
            let mut cluster = Cluster::new(self.plan.clone()).await;
            let world = cluster.world.clone();
            for id in 1..=self.operations {
                start(&cluster, id).await;
            }
            for _ in 0..self.faults {
                cluster.fault().await;
            }
            cluster.calm().await;
            let until = world.now() + PATIENCE;
            while (world.notes().ended.len() as u64) < self.operations && world.now() < until {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            let records = cluster.records().await;
            check(&world, &records, self.operations);
            report(cluster, &records)
        })
    }
}

/// Starts an operation. An answer may be lost, so that it is there already.
async fn start(cluster: &Cluster, id: u64) {
    let name = format!("durable{id}");
    for _ in 0..20 {
        let job = Job {
            id,
            is_durable: true,
            ..Job::default()
        };
        match start_script(&cluster.nodes[0].operations, &name, job).await {
            Err(status) if status.code() == tonic::Code::Unavailable => {}
            _ => return,
        }
    }
}

fn check(world: &World, records: &[OperationRecord], operations: u64) {
    if (records.len() as u64) < operations {
        let what = format!("{} of {operations} were kept", records.len());
        world.violation("durable calls", what);
    }
    for record in records {
        if record.state != OperationState::Succeeded {
            let blocked = record.steps.as_ref().and_then(|it| it.blocked.as_ref());
            let what = format!(
                "{} is {:?}: {:?} {blocked:?}",
                record.name, record.state, record.result
            );
            world.violation("durable calls", what);
        }
    }
}

/// A part of a body.
#[derive(Clone, Copy, Debug)]
enum Part {
    Step,
    /// A step whose name others have, too.
    Repeated,
    SideBySide(u64),
    /// At most `limit` of `count` at a time.
    Bounded {
        limit: usize,
        count: u64,
    },
    /// A step against another one.
    Race,
    /// A step against a sleep.
    Patience(u64),
    /// A step whose row rides on the next commit.
    Lazy,
    Sleep(u64),
    /// A checkpoint that forgets the steps.
    Epoch,
    /// The first attempt ends here, and asks for another one.
    Again,
}

/// The parts of the body of a job, the same in every run.
fn parts(seed: u64, id: u64) -> Vec<Part> {
    let mut random = Random::new(seed, 10_000 + id);
    let count = random.between(1, 8);
    let draw = |random: &mut Random| match random.below(12) {
        0 | 1 => Part::Step,
        2 => Part::Repeated,
        3 => Part::SideBySide(random.between(2, 6)),
        4 | 5 => Part::Sleep(random.pick(&[0, 200, 900, 1_500, 7_000, 40_000])),
        6 => Part::Bounded {
            limit: random.between(1, 4) as usize,
            count: random.between(2, 8),
        },
        7 => Part::Race,
        8 => Part::Patience(random.pick(&[200, 1_500, 7_000])),
        9 => Part::Lazy,
        10 => Part::Epoch,
        _ => Part::Again,
    };
    (0..count).map(|_| draw(&mut random)).collect()
}

/// Follows the parts of a job.
pub(crate) async fn follow(
    link: &Link,
    job: &Job,
    operation: &OperationContext<Progress>,
) -> Result<Answer, HandlerError> {
    let body = Body {
        link,
        operation,
        lazy: Mutex::default(),
        seen: Mutex::default(),
    };
    let (begin, mut token) = body.restore()?;
    let parts = parts(link.world().plan.seed, job.id).into_iter();
    for (number, part) in parts.enumerate().skip(begin) {
        let sum = match part {
            Part::Step => {
                body.step(format!("step/{number}"), format!("{number}"))
                    .await?
            }
            Part::Repeated => body.step("repeated".into(), format!("{number}")).await?,
            Part::SideBySide(count) => {
                let key = |side| format!("{number}/{side}");
                let sides =
                    (0..count).map(|side| body.step(format!("side/{}", key(side)), key(side)));
                try_join_all(sides)
                    .await?
                    .iter()
                    .fold(0, |sum: u64, it| sum.wrapping_add(*it))
            }
            Part::Bounded { limit, count } => {
                let key = |side| format!("{number}/{side}");
                let step = |side| body.call(format!("side/{}", key(side)), key(side));
                let values = operation.all(limit, (0..count).map(step)).await?;
                body.recorded();
                for (side, value) in (0..count).zip(&values) {
                    body.passed(&key(side), *value);
                }
                values.iter().fold(0, |sum: u64, it| sum.wrapping_add(*it))
            }
            Part::Race => {
                let side = |side: &str| format!("race/{number}/{side}");
                let left = body.call(side("left"), side("left"));
                let right = body.call(side("right"), side("right"));
                let won = operation.first(format!("race/{number}"), left, right);
                match won.await? {
                    Either::Left(value) => value?.wrapping_mul(2),
                    Either::Right(value) => value?.wrapping_mul(2).wrapping_add(1),
                }
            }
            Part::Patience(millis) => {
                let work = format!("race/{number}/work");
                let work = body.call(work.clone(), work);
                let patience = Duration::from_millis(millis);
                let patience = operation.sleep(format!("race/{number}/patience"), patience);
                let won = operation.first(format!("race/{number}"), work, patience);
                match won.await? {
                    Either::Left(value) => value?,
                    Either::Right(_) => 1,
                }
            }
            Part::Lazy => {
                let call = format!("{number}");
                let value = body.call(format!("lazy/{number}"), call.clone());
                let value = value.lazy().await?;
                // A crash may lose it, until another closure begins.
                body.lazy
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((call, value));
                0
            }
            Part::Epoch => {
                body.checkpoint(number + 1, token).await?;
                0
            }
            Part::Sleep(millis) => {
                body.sleep(number, Duration::from_millis(millis)).await?;
                0
            }
            Part::Again if operation.attempt() == 1 => {
                let status = Status::unavailable("as requested");
                return Err(HandlerError::retry(status).after(pause_of(job)));
            }
            Part::Again => 0,
        };
        if matches!(part, Part::Epoch) {
            continue;
        }
        token = token.wrapping_mul(31).wrapping_add(sum);
        let time = operation.time().as_micros().unsigned_abs();
        body.sees(format!("time/{number}"), time);
        let (uuid, _) = operation.uuid(&number.to_string()).as_u64_pair();
        body.sees(format!("uuid/{number}"), uuid);
        body.sees(format!("token/{number}"), token);
    }
    // Its own, so that the checkers can tell which run has ended the operation.
    let token = link.world().notes().number();
    Ok(Answer { token, sum: 0 })
}

/// The calls of one run.
struct Body<'a> {
    link: &'a Link,
    operation: &'a OperationContext<Progress>,
    /// The values of lazy steps, which may be lost until another closure begins.
    lazy: Mutex<Vec<(String, u64)>>,
    /// Observations of the run that a crash may change until a step is recorded.
    seen: Mutex<Vec<(String, u64)>>,
}

impl Body<'_> {
    fn key(&self, call: &str) -> (String, String) {
        (self.operation.name().to_string(), call.to_owned())
    }

    /// A step, which `call` tells apart from all others of the operation.
    async fn step(&self, name: String, call: String) -> Result<u64, HandlerError> {
        let value = self.call(name, call.clone()).await?;
        self.recorded();
        self.passed(&call, value);
        Ok(value)
    }

    fn call(&self, name: String, call: String) -> Step<'_, u64> {
        let closure = move || self.run(call.clone());
        let retry = Retry::times(50).pause(Duration::from_millis(100), Duration::from_secs(5));
        self.operation.step(name, closure).retry(retry)
    }

    /// The closure of a step.
    async fn run(&self, call: String) -> Result<u64, HandlerError> {
        let world = self.link.world();
        self.must_be_open(&call);
        let lazy = std::mem::take(&mut *self.lazy.lock().unwrap_or_else(PoisonError::into_inner));
        for (call, value) in lazy {
            self.passed(&call, value);
        }
        let lease = u64::try_from(world.plan.lease.as_millis()).unwrap_or(0);
        let takes = world.notes().random.below(lease);
        sleep(takes).await;
        let mut notes = world.notes();
        match notes.random.per_mille(150) {
            true => Err(HandlerError::retry(Status::unavailable("busy"))),
            false => Ok(notes.number()),
        }
    }

    /// The part to begin with, and the token before it.
    fn restore(&self) -> Result<(usize, u64), HandlerError> {
        let Some(text) = self.operation.restore::<String>()? else {
            return Ok((0, 0));
        };
        let parsed = text
            .split_once(' ')
            .and_then(|(part, token)| Some((part.parse().ok()?, token.parse().ok()?)));
        parsed.ok_or_else(|| Status::internal(format!("a checkpoint is {text:?}")).into())
    }

    async fn checkpoint(&self, part: usize, token: u64) -> Result<(), HandlerError> {
        // The rows of lazy steps are forgotten before they are written.
        self.lazy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let checkpoint = format!("{part} {token}");
        Ok(self.operation.checkpoint_and_forget(&checkpoint).await?)
    }

    async fn sleep(&self, number: usize, duration: Duration) -> Result<(), HandlerError> {
        let world = self.link.world();
        let key = self.key(&format!("sleep/{number}"));
        let now = world.now();
        let begun = *world.notes().ledger.slept.entry(key).or_insert(now);
        self.operation
            .sleep(format!("sleep/{number}"), duration)
            .await?;
        if world.now() < begun + duration {
            let name = self.operation.name();
            let what = format!("{name} slept {:?} of {duration:?}", world.now() - begun);
            world.violation("sleeps are not early", what);
        }
        Ok(())
    }

    /// No earlier run has got the result of this call.
    fn must_be_open(&self, call: &str) {
        let (world, name) = (self.link.world(), self.operation.name());
        let passed = world.notes().ledger.passed.get(&self.key(call)).copied();
        if let Some((_, fence)) = passed
            && fence < self.operation.fence()
        {
            let what = format!("{name} runs the closure of {call} after it was recorded");
            world.violation("closures end with their row", what);
        }
    }

    fn sees(&self, what: String, value: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push((what, value));
    }

    /// A step is recorded, and so is all before it.
    fn recorded(&self) {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        for (what, value) in seen {
            self.passed(&what, value);
        }
    }

    /// Every run gets the same.
    fn passed(&self, call: &str, value: u64) {
        let (world, name) = (self.link.world(), self.operation.name());
        let key = self.key(call);
        let entry = (value, self.operation.fence());
        let first = *world.notes().ledger.passed.entry(key).or_insert(entry);
        if first.0 != value {
            let what = format!("{name} got {value} of {call}, and {} before", first.0);
            world.violation("every run gets the same", what);
        }
    }
}
