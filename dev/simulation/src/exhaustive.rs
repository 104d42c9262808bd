//! Every state that leases, fences and crashes can bring two operations into (guarantee:R5).
//!
//! A breadth-first search over a small world: workers that claim, run and disappear, and whose last
//! messages arrive late, twice or never; operations that are started, repeated, cancelled, deleted
//! and removed, and whose names are used again. [`OperationRecord::apply`] itself determines the
//! effect of a command. A lease may expire at any moment, so the search needs no time.
//!
//! The search is written here rather than taken from a model checker: what there is to write is the
//! world and its moves, and a queue.

mod bounds;
mod checks;
mod children;
mod debts;
mod known;
mod moves;
mod words;
mod world;

use std::collections::{HashMap, HashSet, VecDeque};

use lro_core::Timestamp;
use lro_core::store::{
    Change, History, NewOperation, OperationRecord, OperationResult, Refusal, Update,
};
use prost_types::Any;
use uuid::Uuid;

pub use self::bounds::{Bounds, Children, Mistake, Seen};
use self::known::Known;
use self::moves::{KEYS, Move, PROMISES, ends_an_attempt, generation_of, to_update};
use self::world::{Hold, Place, World};

/// Searches all states. Gives the first that must not be.
///
/// # Errors
///
/// A description of the violation.
pub fn search(bounds: Bounds) -> Result<Seen, String> {
    let mut search = Search {
        bounds,
        records: Vec::new(),
        numbers: HashMap::new(),
        answers: HashMap::new(),
        told: Vec::new(),
        told_numbers: HashMap::new(),
    };
    let first = World::default();
    let mut seen = HashSet::from([first]);
    let mut queue = VecDeque::from([first]);
    let mut moves = 0;
    while let Some(world) = queue.pop_front() {
        for next in search.moves(&world)? {
            let next = next.in_order();
            if next == world {
                continue;
            }
            moves += 1;
            if seen.insert(next) {
                search.check(&next)?;
                queue.push_back(next);
            }
        }
    }
    Ok(Seen {
        states: seen.len(),
        moves,
        records: search.records.len(),
    })
}

struct Search {
    bounds: Bounds,
    records: Vec<Known>,
    numbers: HashMap<String, u16>,
    answers: HashMap<(u16, Move), Answer>,
    /// The news that starts and ends of children are to their parent.
    told: Vec<Update>,
    told_numbers: HashMap<String, u16>,
}

#[derive(Clone, Debug)]
struct Answer {
    result: Result<Change, Refusal>,
    /// The record afterwards; none when it was removed.
    record: Option<u16>,
    /// The news that it is to its parent.
    told: Option<u16>,
    /// The child that it cancels.
    cancels: Option<Uuid>,
}

impl Search {
    fn moves(&mut self, world: &World) -> Result<Vec<World>, String> {
        let mut next = Vec::new();
        for at in 0..self.bounds.operations {
            self.of_callers(world, at, &mut next)?;
            for worker in 0..self.bounds.workers_of(at) {
                // In order, those with nothing come first.
                self.of_worker(world, at, 2 - worker, &mut next)?;
            }
        }
        for (index, flying) in world.flying.into_iter().enumerate() {
            let Some((at, hold)) = flying else { continue };
            // It arrives, and is no more; or once more later.
            let mut arrived = self.said(world, at.into(), hold)?;
            next.push(arrived);
            arrived.flying[index] = None;
            next.push(arrived);
        }
        // Workers beyond the bound have nothing, and do nothing.
        for worker in (0..self.bounds.workers).rev() {
            next.extend(self.crashed(world, 2 - worker));
        }
        next.extend(self.late_end(world)?);
        Ok(next)
    }

    fn of_callers(
        &mut self,
        world: &World,
        at: usize,
        next: &mut Vec<World>,
    ) -> Result<(), String> {
        let place = world.places[at];
        let Some(record) = place.record else {
            if place.generation < self.bounds.generations(at) && !self.bounds.is_child(at) {
                let generation = place.generation + 1;
                let pending = self.started(at, generation);
                let mut started = *world;
                started.places[at] = Place {
                    generation,
                    record: Some(pending),
                };
                next.push(started);
            }
            return Ok(());
        };
        for command in [Move::Expire, Move::Cancel, Move::Delete] {
            let (_, changed) = self.applied(world, at, record, command)?;
            next.push(changed);
        }
        if self.bounds.steps {
            let completions = (0..PROMISES.len() as u8).map(Move::Complete);
            for command in completions.chain((0..KEYS.len() as u8).map(Move::Forget)) {
                next.push(self.applied(world, at, record, command)?.1);
            }
        }
        for command in self.of_child(at, record) {
            next.push(self.applied(world, at, record, command)?.1);
        }
        if self.bounds.forgets_child(at) {
            next.push(
                self.applied(world, at, record, Move::Forget(children::KEY))?
                    .1,
            );
        }
        if self.records[usize::from(record)].record.state.is_done() {
            let mut purged = *world;
            purged.places[at].record = None;
            next.push(purged);
        }
        Ok(())
    }

    fn of_worker(
        &mut self,
        world: &World,
        at: usize,
        worker: usize,
        next: &mut Vec<World>,
    ) -> Result<(), String> {
        let place = world.places[at];
        match world.workers[worker][at] {
            Hold::Nothing => {
                let Some(record) = place.record else {
                    return Ok(());
                };
                if self.records[usize::from(record)].record.fence
                    >= u64::from(self.bounds.claims(at))
                {
                    return Ok(());
                }
                let (answer, mut claimed) = self.applied(world, at, record, Move::Claim)?;
                if let (Ok(_), Some(record)) = (answer.result, answer.record) {
                    // The answer may be lost: then the operation is claimed, but no worker runs it.
                    next.push(claimed);
                    claimed.workers[worker][at] = Hold::Runs {
                        generation: place.generation,
                        fence: self.records[usize::from(record)].record.fence as u8,
                    };
                    next.push(claimed);
                }
            }
            Hold::Runs { generation, fence } => {
                let (answer, mut renewed) =
                    self.by_holder(world, at, generation, Move::Renew(fence))?;
                if answer.is_none_or(|answer| answer.result.is_err()) {
                    // It learns that it has lost the operation, and stops.
                    renewed.workers[worker][at] = Hold::Nothing;
                }
                next.push(renewed);
                if self.bounds.steps {
                    let record = Move::Record(generation, fence);
                    next.push(self.by_holder(world, at, generation, record)?.1);
                    let epoch = Move::NewEpoch(fence, false);
                    next.push(self.by_holder(world, at, generation, epoch)?.1);
                }
                if self.bounds.sagas {
                    let open = Move::Open(fence);
                    next.push(self.by_holder(world, at, generation, open)?.1);
                }
                if self.bounds.is_parent(at) {
                    next.push(self.child_started(world, fence)?);
                    for drops in [false, true] {
                        let epoch = Move::NewEpoch(fence, drops);
                        next.push(self.by_holder(world, at, generation, epoch)?.1);
                    }
                }
                for &words in self.bounds.words(at) {
                    let mut ended = *world;
                    ended.workers[worker][at] = Hold::Says {
                        generation,
                        fence,
                        words,
                    };
                    next.push(ended);
                }
            }
            hold @ Hold::Says { .. } => {
                // It arrives; the answer does too, or is lost, and the words are said again.
                let mut said = self.said(world, at, hold)?;
                next.push(said);
                said.workers[worker][at] = Hold::Nothing;
                next.push(said);
            }
        }
        Ok(())
    }

    /// A holder's command: to the operation of that generation, and no later one of its name.
    fn by_holder(
        &mut self,
        world: &World,
        at: usize,
        generation: u8,
        command: Move,
    ) -> Result<(Option<Answer>, World), String> {
        let place = world.places[at];
        match place.record.filter(|_| {
            self.bounds.mistake == Some(Mistake::UidIgnored) || place.generation == generation
        }) {
            None => Ok((None, *world)),
            Some(record) => {
                let (answer, next) = self.applied(world, at, record, command)?;
                Ok((Some(answer), next))
            }
        }
    }

    fn applied(
        &mut self,
        world: &World,
        at: usize,
        record: u16,
        command: Move,
    ) -> Result<(Answer, World), String> {
        let answer = match self.answers.get(&(record, command)) {
            Some(answer) => answer.clone(),
            None => {
                let answer = self.apply(record, command)?;
                self.answers.insert((record, command), answer.clone());
                answer
            }
        };
        let mut next = *world;
        next.places[at].record = answer.record;
        if let Some(told) = answer.told {
            next = self.child_ended(next, told)?;
        }
        if let Some(cancels) = answer.cancels {
            next = self.child_cancelled(next, cancels)?;
        }
        Ok((answer, next))
    }

    /// Asks the state machine, and holds its answer against what must be.
    fn apply(&mut self, number: u16, command: Move) -> Result<Answer, String> {
        let known_before = self.records[usize::from(number)].clone();
        let mut known_after = known_before.clone();
        let update = match command {
            Move::Told(told) => self.told[usize::from(told)].clone(),
            command => to_update(command, &known_before, self.bounds),
        };
        let by = update.command.fence();
        let (result, cancels) = known_after.apply(command, update.clone(), self.bounds);
        children::check(&known_before, &update, &known_after, &result)?;
        known_after.check(&known_before, command, &result)?;
        let (before, after) = (&known_before.record, &known_after.record);
        let wrong = |what: &str| Err(format!("{command:?} {what}: {before:?} -> {after:?}"));
        let is_stale = by.is_some_and(|fence| fence != before.fence || !before.state.is_running());
        if is_stale && result != Err(Refusal::Stale) {
            return wrong("of a stale holder was not refused");
        }
        if result.is_err() && after != before {
            return wrong("was refused and has changed something");
        }
        if before.state.is_done() && (after.state != before.state || after.result != before.result)
        {
            return wrong("has changed what was done");
        }
        let claimed = matches!(command, Move::Claim) && result.is_ok();
        if after.fence != before.fence + u64::from(claimed) {
            return wrong("has moved the fence");
        }
        let kept = after.history.attempts.len();
        if result.is_ok() && kept != usize::from(ends_an_attempt(command, after)) {
            return wrong("has not kept the attempt that it ended, or has kept another");
        }
        if matches!(command, Move::Delete) && after.state != before.state {
            return wrong("has done more than to delete");
        }
        if let (Some(OperationResult::Response(any)), false) =
            (&after.result, before.state.is_done())
            && any.value != [generation_of(after), after.fence as u8]
        {
            return wrong("has kept the response of another run");
        }
        let removed = result == Ok(Change::Removed);
        if removed && !(after.state.is_done() || before.state.is_done()) {
            return wrong("has removed what has not ended");
        }
        let is_told = result.is_ok() && !matches!(result, Ok(Change::Nothing | Change::Lease));
        let told = after.tells_parent().filter(|_| is_told);
        let told = told.map(|update| self.tell(update));
        let record = match removed {
            true => None,
            false => Some(self.number(known_after)),
        };
        Ok(Answer {
            result,
            record,
            told,
            cancels,
        })
    }

    fn started(&mut self, at: usize, generation: u8) -> u16 {
        let new = self.new_operation(at, generation);
        self.number(Known::new(OperationRecord::new(new, Timestamp::EPOCH)))
    }

    fn new_operation(&self, at: usize, generation: u8) -> NewOperation {
        let uid = Uuid::from_u128((at as u128) << 8 | u128::from(generation));
        let name = format!("operations/{at}").parse();
        let name = name.unwrap_or_else(|error| panic!("{error}"));
        let mut new = NewOperation::new(uid, name, "/s/M", Any::default());
        new.policy.max_attempts = self.bounds.max_attempts();
        new
    }

    /// The number of this record, without what the search does not look at.
    fn number(&mut self, mut known: Known) -> u16 {
        known.record.revision = 0;
        known.record.history = History::default();
        known.renumber();
        let key = format!("{known:?}");
        let next = self.records.len() as u16;
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.records.push(known);
        }
        number
    }
}
