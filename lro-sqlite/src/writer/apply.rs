//! Applies the calls of a group within the writer's transaction.

use std::collections::VecDeque;

use lro_core::Timestamp;
use lro_core::store::{Refusal, StoreEvent, Update, Updated};

use super::Writer;
use crate::call::{Applied, Call, PURGE_MAX, Purge, Purged};
use crate::error::Fault;
use crate::table::Table;
use crate::transaction::{Culprit, Failure, Transaction, corrupt};

/// How many operations a commit purges in any case. Between the two, as many as others write in the same commit, or
/// have written in the last ones: so they have about half of the writer's time, and as many go as
/// come.
const PURGE_MIN: usize = 4;

impl Writer {
    /// Applies calls, in a transaction that it begins when the first one needs it.
    pub(super) fn apply(
        &mut self,
        calls: &mut VecDeque<Call>,
        applied: &mut Vec<Applied>,
        events: &mut Vec<StoreEvent>,
    ) -> Result<(), Failure> {
        // The callers of this group may come again with the next one.
        self.others = weight_of_others(calls).max(self.others / 2);
        let mut begun = false;
        while let Some(call) = calls.pop_front() {
            let now = self.clock.now();
            if !begun && self.needs_transaction(&call, now) {
                if let Err(fault) = self.begin() {
                    if fault.is_full() {
                        applied.push(Applied::Unfinished(call));
                        return Err(fault.into());
                    }
                    // The others would wait as long for the same.
                    for call in std::iter::once(call).chain(calls.drain(..)) {
                        call.fail(fault.to_error(&self.path));
                    }
                    return Err(fault.into());
                }
                begun = true;
            }
            if begun && let Err(fault) = self.room.admits(call.need()) {
                applied.push(Applied::Failed(call, fault.to_error(&self.path)));
                continue;
            }
            let mut transaction = Transaction {
                table: Table(&self.connection),
                hot: &self.hot,
                written: &mut self.written,
                schedule: &mut self.schedule,
                observers: &self.observers,
                events,
                corrupt: &self.corrupt,
                now,
            };
            let done = match call {
                Call::Start(operations, reply) => {
                    let answer = each(operations.into_iter(), |operation| {
                        transaction.start(operation)
                    });
                    match answer {
                        Ok(answer) => Ok(Applied::Start(answer, reply)),
                        Err(failure) => Err((Call::Start(Vec::new(), reply), failure)),
                    }
                }
                Call::Claim(claim, reply) if begun => match transaction.claim(&claim) {
                    Ok(answer) => Ok(Applied::Claim(claim, answer, reply)),
                    Err(failure) => Err((Call::Claim(claim, reply), failure)),
                },
                Call::Claim(claim, reply) => {
                    let nothing = transaction.claimed(&claim, Vec::new());
                    Ok(Applied::Claim(claim, nothing, reply))
                }
                Call::Update(updates, reply) => match update_each(&updates, &mut transaction) {
                    Ok(answer) => Ok(Applied::Update(updates, answer, reply)),
                    Err(failure) => Err((Call::Update(updates, reply), failure)),
                },
                Call::Purge(purge, reply) => {
                    let share = match self.others {
                        0 => PURGE_MAX,
                        others => others.clamp(PURGE_MIN, PURGE_MAX),
                    };
                    let share = share.min(purge.limit);
                    let more = Purge {
                        limit: purge.limit - share,
                        removed: purge.removed + share,
                    };
                    let shrink = self.others == 0;
                    match transaction.purge(share, shrink) {
                        // There may be more, but other calls have their turn before. A call that was
                        // dropped ends here.
                        Ok(count) if count == share && more.limit > 0 && !reply.is_closed() => {
                            Ok(Applied::Purge(purge, Purged::More(more), reply))
                        }
                        Ok(count) => {
                            let removed = Purged::Done(purge.removed + count);
                            Ok(Applied::Purge(purge, removed, reply))
                        }
                        Err(failure) => Err((Call::Purge(purge, reply), failure)),
                    }
                }
            };
            match done {
                Ok(done) => applied.push(done),
                Err((call, failure)) => {
                    let fails_group = failure.fault.is_full()
                        || failure.fault.is_corrupt()
                        || begun && self.connection.is_autocommit();
                    if !fails_group {
                        let error = failure.fault.to_error(&self.path);
                        applied.push(Applied::Failed(call, error));
                        continue;
                    }
                    applied.push(Applied::Unfinished(call));
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    /// Whether the call may touch the database.
    fn needs_transaction(&self, call: &Call, now: Timestamp) -> bool {
        match call {
            Call::Claim(claim, _) => self.schedule.has_work(claim, now),
            Call::Start(..) | Call::Update(..) | Call::Purge(..) => true,
        }
    }
}

/// The weight of the calls that are not purges.
fn weight_of_others(calls: &VecDeque<Call>) -> usize {
    let others = calls.iter().filter(|it| !matches!(it, Call::Purge(..)));
    others.map(Call::weight).sum()
}

/// Applies all elements of a call, whatever becomes of one; the first failure is the call's.
fn each<E, T>(
    elements: impl Iterator<Item = E>,
    mut apply: impl FnMut(E) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut first = None;
    let mut answers = Vec::with_capacity(elements.size_hint().0);
    for element in elements {
        match apply(element) {
            Ok(answer) => answers.push(answer),
            Err(failure) if matches!(failure.fault, Fault::Sqlite(_)) => {
                return Err(first.unwrap_or(failure));
            }
            Err(failure) => first = Some(first.unwrap_or(failure)),
        }
    }
    first.map_or(Ok(answers), Err)
}

/// Applies all updates of a call. One of a corrupt row is refused alone.
fn update_each(
    updates: &[Update],
    transaction: &mut Transaction<'_>,
) -> Result<Vec<Result<Updated, Refusal>>, Failure> {
    let mut answers = Vec::with_capacity(updates.len());
    for update in updates {
        if transaction.corrupt.contains(update) {
            answers.push(Err(corrupt(&update.name)));
            continue;
        }
        match transaction.update(update) {
            Ok(answer) => answers.push(answer),
            Err(Failure {
                fault: Fault::Row(message),
                ..
            }) => answers.push(Err(Refusal::Corrupt(message))),
            Err(failure) => return Err(failure.blamed_on(|| Culprit::Update(update.clone()))),
        }
    }
    Ok(answers)
}
