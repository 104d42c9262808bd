//! The rows of a run that are not durable yet.

use lro_core::Timestamp;
use lro_core::store::{StepKey, StepWrite};
use tokio::sync::oneshot;
use tonic::Status;

/// The rows on their way to the store, in the order of the calls' ends.
#[derive(Default)]
pub(super) struct Outgoing {
    unwritten: Vec<Unwritten>,
    /// The rows of the commit under way. If the run ends before its answer, what ends the run repeats them: a
    /// row must not be recorded without those before it.
    in_flight: Vec<StepWrite>,
    /// The number of rows that were added.
    added: u64,
    /// The last of them that must be durable before a closure begins.
    before_closures: u64,
    /// The last of them that a closure waits for.
    wanted: u64,
    /// The last of them in the last commit.
    committed: u64,
    has_ended: bool,
}

/// A row that the next commit writes.
pub(super) struct Unwritten {
    pub(super) write: StepWrite,
    /// The call that waits for it; without one, it waits for a row that a call waits for.
    pub(super) answer: Option<Answer>,
    /// Whether it must be durable before another closure begins.
    pub(super) before_closures: bool,
}

impl Unwritten {
    /// A row that no call waits for.
    pub(super) fn lazy(write: StepWrite) -> Self {
        Self {
            write,
            answer: None,
            before_closures: false,
        }
    }
}

/// Receives the time of the commit.
pub(super) type Answer = oneshot::Sender<Result<Timestamp, Status>>;

impl Outgoing {
    /// Adds a row. Returns its number.
    pub(super) fn add(&mut self, unwritten: Unwritten) -> u64 {
        if self.has_ended {
            // Its answer is dropped, which tells the call.
            return self.added;
        }
        self.added += 1;
        if unwritten.before_closures {
            self.before_closures = self.added;
        }
        self.unwritten.push(unwritten);
        self.added
    }

    /// A closure waits for the rows that must be durable before it. Returns the number of the last of them.
    pub(super) fn want_before_closures(&mut self) -> u64 {
        self.wanted = self.wanted.max(self.before_closures);
        self.before_closures
    }

    /// A closure waits for all rows. Returns the number of the last of them.
    pub(super) fn want_all(&mut self) -> u64 {
        self.wanted = self.added;
        self.added
    }

    /// The rows for a commit, if a call waits for one of them.
    pub(super) fn take_awaited(&mut self) -> Vec<Unwritten> {
        let is_awaited = self.unwritten.iter().any(|row| row.answer.is_some());
        if !is_awaited && self.wanted <= self.committed {
            return Vec::new();
        }
        let rows = std::mem::take(&mut self.unwritten);
        self.in_flight = rows.iter().map(|row| row.write.clone()).collect();
        self.committed = self.added;
        rows
    }

    /// Drops the rows that are not written. Returns the number of the last one in a commit, and those that end
    /// what the operation owes.
    pub(super) fn forget(&mut self) -> (u64, Vec<StepWrite>) {
        let rows = self.unwritten.drain(..).map(|row| row.write);
        let ends = rows.filter(|write| write.kind.is_debt()).collect();
        // No closure waits for a row that will not come, also not one of the next epoch.
        self.added = self.committed;
        self.before_closures = 0;
        self.wanted = 0;
        (self.committed, ends)
    }

    /// The commit under way was answered. Returns the number of its last row.
    pub(super) fn answered(&mut self) -> u64 {
        self.in_flight.clear();
        self.committed
    }

    pub(super) fn has_end_of(&self, key: &StepKey) -> bool {
        let unwritten = self.unwritten.iter().map(|row| &row.write);
        let mut writes = self.in_flight.iter().chain(unwritten);
        writes.any(|write| write.key == *key && write.outcome.is_some())
    }

    /// The rows that are not known to be durable.
    pub(super) fn take_all(&mut self) -> Vec<StepWrite> {
        let mut rows = std::mem::take(&mut self.in_flight);
        rows.extend(self.unwritten.drain(..).map(|row| row.write));
        rows
    }

    /// The run has ended: no call waits for a row any more, and none follows these.
    pub(super) fn end(&mut self, last: Vec<Unwritten>) {
        self.has_ended = true;
        self.unwritten.extend(last);
        for row in &mut self.unwritten {
            row.answer = None;
        }
    }
}
