//! The invariants of every state.

use std::collections::HashSet;

use lro_core::Timestamp;
use lro_core::store::{Command, OperationState};

use super::world::{Hold, World};
use super::{Search, debts};

impl Search {
    /// Checks the invariants of every state of the world.
    pub(super) fn check(&self, world: &World) -> Result<(), String> {
        for (at, place) in world.places.iter().enumerate() {
            let mut claims = HashSet::new();
            let holds = world.workers.iter().map(|holds| holds[at]);
            for hold in holds {
                let (Hold::Runs { generation, fence }
                | Hold::Says {
                    generation, fence, ..
                }) = hold
                else {
                    continue;
                };
                if !claims.insert((generation, fence)) {
                    return Err(format!("two hold the same claim: {world:?}"));
                }
            }
            let Some(number) = place.record else { continue };
            let known = &self.records[usize::from(number)];
            known.is_well_formed()?;
            let record = &known.record;
            let progress = record.steps.as_deref().map_or(0, |it| it.progress_attempt);
            let attempts = record.attempt - progress;
            let well_formed = record.is_whole()
                && attempts <= record.policy.max_attempts
                && u64::from(record.attempt) <= record.fence
                && (!record.state.is_done() || record.is_visible());
            if !well_formed {
                return Err(format!("not well formed: {record:?}"));
            }
            // Nothing is stuck: without any worker's help, cancelling and the lease's end, end it.
            let mut end = record.clone();
            let _ = end.apply(Command::cancel(), Timestamp::EPOCH);
            let _ = end.apply(Command::Expire, Timestamp::EPOCH);
            let pending_unseen = !end.is_visible() && end.state == OperationState::Pending;
            let waits = self.waits_for_child(world, at);
            if !debts::can_end(&end) && !pending_unseen && !waits {
                return Err(format!("stuck: {record:?}"));
            }
        }
        self.check_children(world)
    }
}
