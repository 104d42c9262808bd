//! Checks families at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lro_core::store::{OperationRecord, OperationResult, OperationState, StepOutcome, StepRow};
use lro_core::{Reason, unpack};

use super::FamilyPlan;
use super::model::{Expected, expected};
use super::program::{Program, Saga};
use crate::plan::NodePlan;
use crate::service::{Answer, Job};
use crate::world::{Ask, World};

/// How long an operation takes at most after its cancellation: its undos have pauses of up to a minute.
pub(crate) const CANCEL_BOUND: Duration = Duration::from_secs(15 * 60);

/// The operations of a run at its end.
pub(super) struct Case<'a> {
    plan: &'a FamilyPlan,
    world: &'a World,
    members: BTreeMap<&'a str, Member<'a>>,
    asked: BTreeSet<String>,
    found: Vec<(&'static str, String)>,
}

/// An operation of a family.
struct Member<'a> {
    record: &'a OperationRecord,
    rows: BTreeMap<String, StepRow>,
    job: Job,
    program: Program,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        plan: &'a FamilyPlan,
        world: &'a World,
        records: &'a [OperationRecord],
        rows: Vec<Vec<StepRow>>,
    ) -> Self {
        let members = records.iter().zip(rows).map(|(record, rows)| {
            let job: Job = unpack(&record.request).unwrap_or_default();
            let rows = rows.into_iter().map(|row| (row.key.to_string(), row));
            let member = Member {
                program: Program::new(plan.plan.seed, job.id, job.generation),
                rows: rows.collect(),
                record,
                job,
            };
            (record.name.as_str(), member)
        });
        let notes = world.notes();
        let asked = notes
            .client_calls
            .iter()
            .filter_map(|call| match &call.ask {
                Ask::Cancel(name) => Some(name.clone()),
                _ => None,
            });
        Self {
            plan,
            world,
            members: members.collect(),
            asked: asked.collect(),
            found: notes.families.wrong.clone(),
        }
    }

    pub(super) fn check(mut self) -> Vec<(&'static str, String)> {
        let mut found = std::mem::take(&mut self.found);
        self.each(&mut found);
        self.parents(&mut found);
        found
    }

    fn each(&self, found: &mut Vec<(&'static str, String)>) {
        let roots = self.members.values();
        let roots = roots.filter(|member| member.job.generation == 1).count() as u64;
        if roots < self.plan.families {
            let what = format!("{roots} of {} families were kept", self.plan.families);
            found.push(("everything ends", what));
        }
        for member in self.members.values() {
            let name = member.name();
            if !member.record.state.is_done() {
                let steps = member.record.steps.as_deref();
                let blocked = steps.and_then(|steps| steps.blocked.as_ref());
                let what = format!("{name} is {:?} {blocked:?}", member.record.state);
                found.push(("everything ends", what));
                continue;
            }
            let is_cancelled = member.record.state == OperationState::Cancelled;
            if is_cancelled && member.job.generation == 1 && self.asked.is_empty() {
                let what = format!("no client has cancelled {name}");
                found.push(("cancellation", what));
            }
            self.outcome(member, found);
            self.debts(member, found);
            self.sagas(member, found);
            self.children(member, found);
        }
    }

    /// The same outcome as that of a run without faults.
    fn outcome(&self, member: &Member<'_>, found: &mut Vec<(&'static str, String)>) {
        let record = member.record;
        if !self.plan.is_strict() || self.is_cancelled(member) {
            return;
        }
        let Job { id, generation, .. } = member.job;
        let expected = expected(&member.program, self.plan.plan.seed, id, generation);
        let is_expected = match expected {
            Expected::Unknown => true,
            Expected::Fails => record.state == OperationState::Failed,
            Expected::Sum(sum) => member.sum() == Some(sum),
        };
        if !is_expected {
            let what = format!(
                "{}: {expected:?} without faults, {:?} {:?} with them",
                member.name(),
                record.state,
                record.result
            );
            found.push(("the outcome without faults", what));
        }
    }

    /// Whether the operation was cancelled, or a client has cancelled one that it has started.
    fn is_cancelled(&self, member: &Member<'_>) -> bool {
        let rows = member.rows.values();
        let mut children = rows.filter_map(|row| row.child.as_deref());
        // Rows of earlier epochs are forgotten.
        let has_forgotten = member
            .record
            .steps
            .as_deref()
            .is_some_and(|it| it.epoch > 0);
        member.record.cancel_time.is_some()
            || self.asked.contains(member.name())
            || has_forgotten && !self.asked.is_empty()
            || children.any(|child| {
                let child = self.members.get(child.name.as_str());
                child.is_some_and(|child| {
                    // That its parent has cancelled it, is the parent's business.
                    self.asked.contains(child.name()) || self.has_cancelled_child(child)
                })
            })
    }

    fn has_cancelled_child(&self, member: &Member<'_>) -> bool {
        member.record.cancel_time.is_none() && self.is_cancelled(member)
    }

    /// Nothing is owed at the end, and everything is undone.
    fn debts(&self, member: &Member<'_>, found: &mut Vec<(&'static str, String)>) {
        let is_incomplete = member.is_incomplete();
        if is_incomplete && self.plan.is_strict() {
            let what = format!("{} has not undone everything", member.name());
            found.push(("everything is undone", what));
        }
        let mut rows = member.rows.values();
        if let Some(row) = rows.find(|row| row.is_owed() && !is_incomplete) {
            let what = format!("{} has ended, and owes {}", member.name(), row.key);
            found.push(("everything is undone", what));
        }
    }

    fn sagas(&self, member: &Member<'_>, found: &mut Vec<(&'static str, String)>) {
        let notes = self.world.notes();
        let Some(operation) = notes.families.operations.get(member.name()) else {
            return;
        };
        // The worker of a slow clock learns late that it has lost an operation.
        let may_continue = !self.plan.plan.nodes.iter().all(NodePlan::is_punctual);
        for (saga, is_of_epoch) in member.sagas() {
            let Some(noted) = operation.sagas.get(&saga.id) else {
                continue;
            };
            let row = member.rows.get(&saga.row).filter(|_| is_of_epoch);
            let outcome = row.and_then(|row| row.outcome.as_ref());
            for (name, step) in &noted.steps {
                let of = |what: &str| format!("{}: {name} of {} {what}", member.name(), saga.row);
                let was_undone = !step.undos.is_empty();
                match outcome {
                    Some(StepOutcome::Response(_)) if was_undone => {
                        found.push(("kept sagas are not undone", of("was undone")));
                    }
                    Some(StepOutcome::Response(_)) => {}
                    // Of an earlier epoch, and successful.
                    None if noted.is_kept && !was_undone && !is_of_epoch => {}
                    _ if step.is_left(may_continue) && !member.is_incomplete() => {
                        found.push(("everything is undone", of("is not undone")));
                    }
                    _ => {}
                }
            }
        }
    }

    /// The children in the rows of a parent.
    fn children(&self, member: &Member<'_>, found: &mut Vec<(&'static str, String)>) {
        let notes = self.world.notes();
        let answers = notes.families.operations.get(member.name());
        for row in member.rows.values() {
            let Some(child) = row.child.as_deref() else {
                continue;
            };
            let of = |what: &str| format!("{}: {} {what}", member.name(), row.key);
            let Some(child) = self.members.get(child.name.as_str()) else {
                found.push(("parents have their children", of("has no child")));
                continue;
            };
            let result = child.record.result.as_ref();
            let is_same = match (&row.outcome, result) {
                (Some(StepOutcome::Response(own)), Some(OperationResult::Response(its))) => {
                    own == its
                }
                (Some(StepOutcome::Error(own)), Some(OperationResult::Error(its))) => {
                    own == its || own.code == tonic::Code::DeadlineExceeded as i32
                }
                // It was given up, and may have ended by itself just then.
                (Some(StepOutcome::Error(own)), Some(OperationResult::Response(_))) => {
                    own.code == tonic::Code::DeadlineExceeded as i32
                }
                (Some(StepOutcome::Abandoned), _) => true,
                _ => member.is_incomplete(),
            };
            let last = row.key.as_str().rsplit_once("child/").map(|(_, at)| at);
            let key = format!("child/{}", last.unwrap_or_default());
            let answer = answers.and_then(|it| it.answers.get(&key)).copied();
            if !is_same || answer.is_some_and(|answer| child.sum() != Some(answer)) {
                let what = of(&format!("is {:?}, its child {result:?}", row.outcome));
                found.push(("parents have the outcome of their children", what));
            }
        }
    }

    /// The parents of children.
    fn parents(&self, found: &mut Vec<(&'static str, String)>) {
        let mut steps = BTreeMap::new();
        for parent in self.members.values() {
            for (key, row) in &parent.rows {
                if let Some(child) = row.child.as_deref() {
                    steps.insert(child.name.as_str(), (parent, key.as_str(), Some(row)));
                }
            }
        }
        let mut siblings: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for member in self.members.values().filter(|it| it.job.generation > 1) {
            let name = member.name();
            let step = steps
                .get(name)
                .copied()
                .or_else(|| self.forgotten_step(member));
            let Some((parent, key, row)) = step else {
                found.push(("children have parents", format!("{name} has none")));
                continue;
            };
            // Names are used once in all epochs.
            if let Some(other) = siblings.insert((parent.name(), key), name) {
                let what = format!("{name} and {other} are children of one step");
                found.push(("one child for each step", what));
            }
            self.cancellation(member, parent, row, found);
        }
    }

    /// The step of a child in an earlier epoch of its parent.
    fn forgotten_step(
        &self,
        member: &'a Member<'a>,
    ) -> Option<(&Member<'a>, &'a str, Option<&StepRow>)> {
        let step = member.record.parent_step.as_deref()?;
        let parent = self.members.get(step.operation.as_str())?;
        let epoch = parent.record.steps.as_deref().map_or(0, |it| it.epoch);
        (epoch > 0).then_some((parent, step.key.as_str(), None))
    }

    /// A child ends with its parent, unless it is left.
    fn cancellation(
        &self,
        member: &Member<'_>,
        parent: &Member<'_>,
        row: Option<&StepRow>,
        found: &mut Vec<(&'static str, String)>,
    ) {
        let (child, name) = (member.record, member.name());
        let (Some(ended), Some(parent_ended)) = (child.end_time, parent.record.end_time) else {
            return;
        };
        let is_left = member.is_to_be_left(parent);
        let by_parent = child.cancel_time.is_some() && !self.asked.contains(name);
        if by_parent && is_left {
            let what = format!("{name} was cancelled with its parent");
            found.push(("children that are left", what));
        }
        let is_given_up = row.is_none_or(|row| {
            let is_cancelled = row.child.as_deref().is_some_and(|it| it.is_cancelled);
            !matches!(row.outcome, Some(StepOutcome::Response(_))) || is_cancelled
        });
        if by_parent && !is_given_up {
            let what = format!("{name} was cancelled, although its parent waits for it");
            found.push(("children end with their parents", what));
        }
        if let Some(at) = child.cancel_time
            && ended > at.saturating_add(CANCEL_BOUND)
        {
            let what = format!("{name} was cancelled at {at:?} and ended at {ended:?}");
            found.push(("children end with their parents", what));
        }
        if is_left || ended <= parent_ended || parent.is_incomplete() {
            return;
        }
        let waits = parent.record.state != OperationState::Succeeded;
        let is_abandoned =
            row.is_none_or(|row| !matches!(row.outcome, Some(StepOutcome::Response(_))));
        let is_cancelled = child.cancel_time.is_some_and(|at| at <= parent_ended);
        if !is_cancelled || waits && !is_abandoned {
            let what = format!("{name} ended at {ended:?}, its parent at {parent_ended:?}");
            found.push(("children end with their parents", what));
        }
    }
}

impl Member<'_> {
    fn name(&self) -> &str {
        self.record.name.as_str()
    }

    fn sum(&self) -> Option<u64> {
        match &self.record.result {
            Some(OperationResult::Response(any)) => Some(unpack::<Answer>(any).ok()?.sum),
            _ => None,
        }
    }

    fn is_incomplete(&self) -> bool {
        let reason = Reason::UndoIncomplete;
        matches!(&self.record.result, Some(OperationResult::Error(error)) if reason.is_told_by(error))
    }

    fn is_to_be_left(&self, parent: &Member<'_>) -> bool {
        let children = parent.program.children();
        let own = children.into_iter().find(|child| child.id == self.job.id);
        own.is_some_and(|child| child.is_left)
    }

    /// The sagas of its program, and whether each belongs to the last epoch.
    fn sagas(&self) -> Vec<(&Saga, bool)> {
        let epoch = self.record.steps.as_deref().map_or(0, |it| it.epoch);
        self.program.sagas(epoch)
    }
}
