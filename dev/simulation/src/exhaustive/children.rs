//! An operation that another one starts and waits for: the store's part in it, and mistakes about it.

use lro_core::Timestamp;
use lro_core::store::{
    Change, ChildOf, Command, OperationRecord, OperationState, Refusal, StepKind, StepRow,
    StepWrite, Update,
};
use uuid::Uuid;

use super::known::Known;
use super::moves::{CHILD, KEYS, Move, WORDS, generation_of, step};
use super::world::{Place, World};
use super::{Mistake, Search};

/// The step that starts a child, as [`Move::Forget`] counts it.
pub(super) const KEY: u8 = KEYS.len() as u8;

/// Where the parent is, and its child.
const PARENT: usize = 0;
const OF_PARENT: usize = 1;

impl Search {
    /// A run of the parent starts its child, or finds the one that was started before.
    pub(super) fn child_started(&mut self, world: &World, fence: u8) -> Result<World, String> {
        let Some(parent) = world.places[PARENT].record else {
            return Ok(*world);
        };
        let known = &self.records[usize::from(parent)];
        let child_of = ChildOf {
            operation: known.record.name.clone(),
            uid: known.record.uid,
            fence: fence.into(),
            step: StepWrite::begun(step(CHILD), StepKind::Child),
            is_left: false,
        };
        let place = world.places[OF_PARENT];
        let of_step = child_row(known).and_then(|row| row.child.as_deref());
        let child = match place.record {
            Some(number) => {
                let record = &self.records[usize::from(number)].record;
                if of_step.is_some_and(|child| child.uid == record.uid) {
                    return Ok(*world);
                }
                place
            }
            None if place.generation == self.bounds.generations => return Ok(*world),
            None => {
                let generation = place.generation + 1;
                let mut new = self.new_operation(OF_PARENT, generation);
                new.child_of = Some(Box::new(child_of.clone()));
                let new = Known::new(OperationRecord::new(new, Timestamp::EPOCH));
                Place {
                    generation,
                    record: Some(self.number(new)),
                }
            }
        };
        let Some(number) = child.record else {
            return Ok(*world);
        };
        let told = child_of.record(&self.records[usize::from(number)].record);
        let told = Move::Told(self.tell(told));
        let (answer, mut next) = self.applied(world, PARENT, parent, told)?;
        if answer.result.is_ok() || self.bounds.mistake == Some(Mistake::ChildWithoutParent) {
            next.places[OF_PARENT] = child;
        }
        Ok(next)
    }

    /// The moves of a child that its workers make.
    pub(super) fn of_child(&self, at: usize, record: u16) -> Vec<Move> {
        let record = &self.records[usize::from(record)].record;
        let is_child = self.bounds.is_child(at);
        match record.state {
            state if is_child && state.is_running() => {
                let word = |words| Move::Word(generation_of(record), record.fence as u8, words);
                WORDS.map(word).into()
            }
            OperationState::Pending
                if is_child && record.fence < u64::from(self.bounds.claims(at)) =>
            {
                vec![Move::Claim]
            }
            _ => Vec::new(),
        }
    }

    /// The parent learns of the end of its child in the same commit, or later.
    pub(super) fn child_ended(&mut self, mut next: World, told: u16) -> Result<World, String> {
        if self.bounds.children.is_some_and(|it| it.late) && next.late.is_none() {
            next.late = Some(told);
            return Ok(next);
        }
        let Some(parent) = next.places[PARENT].record else {
            return Ok(next);
        };
        let is_running = self.records[usize::from(parent)].record.state.is_running();
        if is_running && self.bounds.mistake == Some(Mistake::EndLostInARun) {
            return Ok(next);
        }
        Ok(self.applied(&next, PARENT, parent, Move::Told(told))?.1)
    }

    /// The parent cancels its child, or has no use for it any more.
    pub(super) fn child_cancelled(
        &mut self,
        next: World,
        cancelled: Uuid,
    ) -> Result<World, String> {
        let uid = |number: &u16| self.records[usize::from(*number)].record.uid;
        let child = next.places[OF_PARENT].record;
        match child.filter(|number| uid(number) == cancelled) {
            Some(child) if self.bounds.mistake != Some(Mistake::CancellationOfChildLost) => {
                Ok(self.applied(&next, OF_PARENT, child, Move::Cancel)?.1)
            }
            _ => Ok(next),
        }
    }

    /// The parent learns of an end that it has not learnt yet.
    pub(super) fn late_end(&mut self, world: &World) -> Result<Option<World>, String> {
        let Some(told) = world.late else {
            return Ok(None);
        };
        let learnt = match world.places[PARENT].record {
            Some(parent) => self.applied(world, PARENT, parent, Move::Told(told))?.1,
            None => *world,
        };
        Ok(Some(World {
            late: None,
            ..learnt
        }))
    }

    /// The number of what a child tells its parent.
    pub(super) fn tell(&mut self, update: Update) -> u16 {
        let next = self.told.len() as u16;
        let number = *self
            .told_numbers
            .entry(format!("{update:?}"))
            .or_insert(next);
        if number == next {
            self.told.push(update);
        }
        number
    }

    /// Whether the operation is suspended for its child. [`check_children`](Self::check_children) says whether
    /// that ends.
    pub(super) fn waits_for_child(&self, world: &World, at: usize) -> bool {
        let record = world.places[at]
            .record
            .filter(|_| self.bounds.is_parent(at));
        record.is_some_and(|number| self.records[usize::from(number)].record.is_suspended())
    }

    /// Checks that a step waits for a child that lives, and that a child that lives has its step.
    pub(super) fn check_children(&self, world: &World) -> Result<(), String> {
        let known = |at: usize| Some(&self.records[usize::from(world.places[at].record?)]);
        let (Some(bounds), Some(parent)) = (self.bounds.children, known(PARENT)) else {
            return Ok(());
        };
        let child = known(OF_PARENT).map(|known| &known.record);
        let wrong = |what: &str| Err(format!("{what}: {parent:?}, {child:?}"));
        let living = child.filter(|it| !it.state.is_done() && it.is_visible());
        let row = child_row(parent).filter(|row| !row.is_finished());
        let waits_for = row.and_then(|row| row.child.as_deref()).map(|it| it.uid);
        let lives = living.map(|record| record.uid);
        let is_cancelled = row
            .and_then(|row| row.child.as_deref())
            .is_some_and(|it| it.is_cancelled);
        if is_cancelled && living.is_some_and(|it| it.cancel_time.is_none()) {
            return wrong("its child was not cancelled");
        }
        let has_given_up = parent.record.state.is_done() && parent.record.owes();
        if has_given_up || waits_for == lives {
            return Ok(());
        }
        match waits_for {
            Some(uid) if self.ended_late(world) == Some(uid) => Ok(()),
            Some(_) => wrong("it waits for a child that has ended"),
            None if bounds.forgets => Ok(()),
            None if living.is_some_and(|it| it.cancel_time.is_some()) => Ok(()),
            None => wrong("a child has no step that waits for it"),
        }
    }

    /// The child whose end the parent has not learnt yet.
    fn ended_late(&self, world: &World) -> Option<Uuid> {
        match self.told[usize::from(world.late?)].command {
            Command::EndChild { child, .. } => Some(child),
            _ => None,
        }
    }
}

pub(super) fn child_row(parent: &Known) -> Option<&StepRow> {
    parent.steps.get(&step(CHILD))
}

/// Makes the mistake of one command.
pub(super) fn mistake(parent: &mut Known, update: &mut Update, mistake: Option<Mistake>) {
    let row = child_row(parent).and_then(|row| row.child.as_deref());
    let of_step = row.map(|child| child.uid);
    let record = &mut parent.record;
    match (&mut update.command, mistake) {
        (Command::StartChild { fence }, Some(Mistake::StaleRunStartsChild)) => {
            *fence = record.fence;
        }
        (Command::StartChild { .. }, Some(Mistake::CancelledRunStartsChild))
            if record.state == OperationState::Cancelling =>
        {
            record.state = OperationState::Running;
        }
        (Command::EndChild { child, .. }, Some(Mistake::EndOfAnotherChild)) => {
            *child = of_step.unwrap_or(*child);
        }
        _ => {}
    }
}

/// Checks what the start or the end of a child has done to its parent.
pub(super) fn check(
    before: &Known,
    update: &Update,
    after: &Known,
    result: &Result<Change, Refusal>,
) -> Result<(), String> {
    let wrong = |what: &str| {
        let command = &update.command;
        Err(format!("{command:?} {what}: {before:?} -> {after:?}"))
    };
    let is_new = child_row(before) != child_row(after);
    match &update.command {
        Command::StartChild { .. } => {
            let undoes = before.record.state == OperationState::Cancelling;
            if result.is_ok() && (undoes || before.record.is_condemned()) {
                return wrong("has started a child of a run that only undoes");
            }
        }
        Command::EndChild { child, .. } => {
            let row = child_row(after).and_then(|row| row.child.as_deref());
            if result.is_err() {
                return wrong("was refused");
            }
            if is_new && row.is_none_or(|it| it.uid != *child) {
                return wrong("has ended the step of another child");
            }
        }
        _ => {}
    }
    Ok(())
}
