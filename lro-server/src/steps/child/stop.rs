//! The end of children that their parent does not wait for any more, or only until they have stopped.

use lro_core::store::{Child, StepKey, StepOutcome, StepWake, StepWrite};

use crate::handler::run::Run;
use crate::steps::journal::Outstanding;
use crate::steps::outgoing::Unwritten;
use crate::steps::read::read_rows;

/// Cancels the children of a run that does nothing but undo. Returns the steps that it waits for. Their rows are
/// written by the command that ends the run.
pub(crate) fn stop_children(run: &Run) -> Vec<StepKey> {
    let journal = run.journal();
    let mut waits = Vec::new();
    for child in journal.outstanding_children() {
        let write = match child.stop(run) {
            Stop::Forget => child.forgotten(),
            Stop::GiveUp => child.given_up(run),
            Stop::Wait(_) => {
                waits.push(child.key);
                continue;
            }
            Stop::Cancel(cancelled) => {
                waits.push(child.key);
                cancelled
            }
        };
        journal.write(Unwritten::lazy(write));
    }
    waits
}

/// The ends of the steps of a body that has returned: it is not interested in the children that have not ended.
pub(crate) async fn forgotten_children(run: &Run) -> Vec<StepWrite> {
    let Some(journal) = run.journal_if_used() else {
        return Vec::new();
    };
    learn_children(run).await;
    let children = journal.outstanding_children();
    children.iter().map(Outstanding::forgotten).collect()
}

/// Reads the children again, if a start has failed that may have stored one all the same.
pub(in crate::steps) async fn learn_children(run: &Run) {
    let journal = run.journal();
    if journal.is_unsure_of_children()
        && let Ok(rows) = read_rows(run).await
    {
        journal.learn_children(&rows);
    }
}

/// The next thing to do with a child that must stop.
pub(in crate::steps) enum Stop {
    /// Its parent does not wait for it.
    Forget,
    /// It has not stopped in time.
    GiveUp,
    /// It is cancelled already, by a write like this.
    Wait(StepWrite),
    /// This write cancels it, and begins the wait for its end.
    Cancel(StepWrite),
}

impl Outstanding {
    pub(in crate::steps) fn stop(&self, run: &Run) -> Stop {
        let Some(child) = &self.child else {
            // The start is recorded with the child, so there is none.
            return Stop::Forget;
        };
        let is_over = self
            .wake_time
            .is_some_and(|time| time <= run.store_clock().claimed);
        match child {
            child if child.is_left => Stop::Forget,
            child if !child.is_cancelled => Stop::Cancel(self.cancelled(child, run)),
            _ if is_over => Stop::GiveUp,
            child => Stop::Wait(self.cancelled(child, run)),
        }
    }

    /// Ends the step: the store cancels the child, unless it is left.
    pub(in crate::steps) fn forgotten(&self) -> StepWrite {
        StepWrite {
            sequential: false,
            outcome: Some(StepOutcome::Abandoned),
            ..StepWrite::begun(self.key.clone(), self.kind)
        }
    }

    /// The same of a child that has not stopped in time: the error of the operation names it.
    pub(in crate::steps) fn given_up(&self, run: &Run) -> StepWrite {
        tracing::error!(name = %run.name, step = %self.key, "a child has not stopped in time");
        run.journal().not_undone([self.key.clone()]);
        self.forgotten()
    }

    fn cancelled(&self, child: &Child, run: &Run) -> StepWrite {
        let link = run.link.as_ref();
        StepWrite {
            wake: link.map(|link| StepWake::After(link.child_cancel_max)),
            child: Some(Box::new(Child {
                is_cancelled: true,
                ..child.clone()
            })),
            ..StepWrite::begun(self.key.clone(), self.kind)
        }
    }
}
