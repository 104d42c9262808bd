//! Last words of runs, and their crashes.

use super::Search;
use super::moves::{Move, START};
use super::world::{Hold, World};

impl Search {
    /// The worker crashes; its last message is lost, or still arrives.
    pub(super) fn crashed(&self, world: &World, worker: usize) -> Vec<World> {
        let mut dead = *world;
        let holds = std::mem::take(&mut dead.workers[worker]);
        let mut flying = dead;
        let words = (0_u8..).zip(holds);
        let mut words = words.filter(|(_, hold)| matches!(hold, Hold::Says { .. }));
        match words.all(|words| flying.fly(words, self.bounds.flying)) {
            true => vec![dead, flying],
            false => vec![dead],
        }
    }

    pub(super) fn said(&mut self, world: &World, at: usize, hold: Hold) -> Result<World, String> {
        let Hold::Says {
            generation,
            fence,
            words,
        } = hold
        else {
            return Ok(*world);
        };
        if words == START {
            return self.child_started(world, fence);
        }
        let word = Move::Word(generation, fence, words);
        Ok(self.by_holder(world, at, generation, word)?.1)
    }
}
