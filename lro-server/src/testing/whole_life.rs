//! One life of an operation, from its start to its end, over the death of its process.

use std::time::Duration;

use lro_core::Clock as _;
use lro_core::store::{Command, OperationRecord, OperationState, StepOutcome};

use super::children::{self, EndChild};
use super::link::Link;
use super::outcome::Outcome;
use super::probe::{Closures, Probe};
use super::process::{BEGIN, Body, Place};
use crate::WorkerBuilder;

/// How long the kit watches whether a suspended body is woken by something else.
const WATCH: Duration = Duration::from_secs(60 * 60);

/// After this time without a write, a body hangs.
const HANGS_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// More than a body has a use for.
const MAX_ATTEMPTS: u32 = 1_000;

/// How an operation is to live.
pub(super) struct WholeLife<'a> {
    pub(super) body: Body,
    pub(super) completions: &'a [(String, StepOutcome)],
    pub(super) children: Vec<(String, Box<EndChild>)>,
    /// The operation is cancelled when it waits for this step.
    pub(super) cancelled_at: Option<&'a str>,
    pub(super) seed: u64,
    pub(super) dies_at: Option<usize>,
}

/// The result of a life.
pub(super) struct Life {
    /// The places where the process could have died.
    pub(super) points: Vec<String>,
    pub(super) outcome: Option<Outcome>,
    pub(super) problem: Option<String>,
}

/// How a process ends.
enum End {
    Done(Option<Outcome>),
    Died,
    Problem(String),
}

impl WholeLife<'_> {
    pub(super) fn live(&self) -> Life {
        let name = "operations/1".parse();
        let name = name.unwrap_or_else(|error| panic!("a constant: {error}"));
        let place = Place::new(name, self.body.clone(), BEGIN);
        let children = self.children.iter().map(|(step, _)| step.clone());
        let closures = Closures::Run { seed: self.seed };
        let probe = Probe::with_children(closures, self.dies_at, children.collect());
        let suspend_after = WorkerBuilder::DEFAULT_SUSPEND_AFTER;
        let mut is_new = true;
        let (outcome, problem) = loop {
            let end = place.process(&probe, suspend_after, async |link| {
                if std::mem::take(&mut is_new) {
                    place.start(MAX_ATTEMPTS).await;
                    link.tell_ready(super::process::METHOD, place.clock.now());
                }
                self.drive(&place, &probe, link).await
            });
            probe.bury();
            match end {
                End::Done(outcome) => break (outcome, None),
                End::Problem(problem) => break (None, Some(problem)),
                End::Died => probe.revive(),
            }
        };
        Life {
            points: probe.points(),
            outcome,
            problem: probe.mistakes().into_iter().next().or(problem),
        }
    }

    /// Does what the world around an operation does, until the operation ends or its process dies.
    async fn drive(&self, place: &Place, probe: &Probe, link: &Link) -> End {
        if place.record().await.state.is_running() {
            // Its process has died.
            place.command(Command::Expire).await;
        } else if self.seed % 2 == 1 {
            self.complete(place, |_| true).await;
        }
        loop {
            if probe.is_dead() {
                return End::Died;
            }
            if let Some(message) = probe.blocked() {
                return End::Problem(message);
            }
            let record = place.record().await;
            if record.state.is_done() {
                return End::Done(Outcome::of(&record));
            }
            if record.state == OperationState::Pending
                && let Some(problem) = self.wait(place, probe, link, &record).await
            {
                return End::Problem(problem);
            }
            let changed = probe.changed.notified();
            if tokio::time::timeout(HANGS_AFTER, changed).await.is_err() {
                let problem =
                    "the body hangs: it awaits something that never comes, and no durable call";
                return End::Problem(problem.to_owned());
            }
        }
    }

    /// Ends what a pending operation waits for. Returns a problem of the body's.
    async fn wait(
        &self,
        place: &Place,
        probe: &Probe,
        link: &Link,
        record: &OperationRecord,
    ) -> Option<String> {
        let waits = waits(record);
        if self.dies_at.is_none() && !waits.is_empty() {
            let left = record.ready_time.since(place.clock.now());
            tokio::time::sleep(left.min(WATCH)).await;
            if probe.bury() {
                return Some(format!(
                    "while the operation was suspended at {}, something else has woken its body, such as a channel, \
                     a timer or a task: a suspension cuts that off; make it a durable call",
                    quoted(waits)
                ));
            }
        }
        let is_waited_for = |key: &str| waits.iter().any(|it| it == key);
        let is_cancelled = record.cancel_time.is_some();
        if self.cancelled_at.is_some_and(is_waited_for) && !is_cancelled {
            place.command(Command::cancel()).await;
            return None;
        }
        if self.complete(place, is_waited_for).await
            || self.end_children(place, is_waited_for).await
        {
            return None;
        }
        if record.ready_time == OperationRecord::NEVER_READY {
            return Some(format!(
                "the operation waits for {} for ever: give the value with `.complete(..)` or `.child(..)`",
                quoted(waits)
            ));
        }
        place.skip_to(link, record.ready_time);
        None
    }

    /// Ends children. Returns whether there were such.
    async fn end_children(&self, place: &Place, of: impl Fn(&str) -> bool) -> bool {
        let mut have_ended = false;
        for (step, end) in self.children.iter().filter(|(step, _)| of(step)) {
            have_ended |= children::end(place, step, end).await;
        }
        have_ended
    }

    /// Gives values to promises. Returns whether there were such.
    async fn complete(&self, place: &Place, of: impl Fn(&str) -> bool) -> bool {
        let mut is_completed = false;
        for (key, outcome) in self.completions.iter().filter(|(key, _)| of(key)) {
            let Ok(key) = key.parse() else {
                continue;
            };
            let outcome = outcome.clone();
            place.command(Command::Complete { key, outcome }).await;
            is_completed = true;
        }
        is_completed
    }
}

/// The keys that a suspended operation waits for.
fn waits(record: &OperationRecord) -> &[String] {
    match record.steps.as_deref() {
        Some(steps) if record.is_suspended() => &steps.waits,
        _ => &[],
    }
}

fn quoted(keys: &[String]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}
