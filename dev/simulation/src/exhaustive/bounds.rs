//! The size of a search, and its counts.

use super::moves::{WORDS, WORDS_WITH_SAGAS, WORDS_WITH_STEPS};

/// How large the world is.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many workers there are, at most 3.
    pub workers: usize,
    /// How many operations there are, at most 2.
    pub operations: usize,
    /// How often each is claimed at most.
    pub claims: u8,
    /// How often each name is used at most.
    pub generations: u8,
    /// How many last words of dead workers are on their way at most; 2 at the most.
    pub flying: usize,
    /// Whether bodies record steps and wait for what callers complete.
    pub steps: bool,
    /// Whether bodies open sagas, and undo them.
    pub sagas: bool,
    /// A mistake, to show that it is found.
    pub mistake: Option<Mistake>,
}

impl Bounds {
    /// The number of commands with which a body can end.
    pub(super) fn words(self) -> u8 {
        match (self.steps, self.sagas) {
            (_, true) => WORDS_WITH_SAGAS,
            (true, false) => WORDS_WITH_STEPS,
            (false, false) => WORDS,
        }
    }
}

/// A mistake of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Holders know operations by their name alone.
    UidIgnored,
    /// A suspension does not look for what has been completed before it.
    SuspendDoesNotLook,
    /// A completion wakes no operation that waits for it.
    WakeLost,
    /// A recorded step is overwritten.
    StepOverwritten,
    /// A new epoch shows the steps of the one before.
    EpochIgnored,
    /// A new epoch begins without promises that callers gave early.
    EarlyPromiseLost,
    /// A step of a running operation is forgotten.
    StepForgottenInARun,
    /// A cancellation ends a pending operation that owes something.
    CancelEndsWhatOwes,
    /// A claim forgets that the operation was cancelled.
    CancellationForgotten,
    /// A claim forgets the verdict.
    VerdictForgotten,
    /// A run that only undoes ends the operation with a response.
    UnwindingSucceeds,
    /// An open saga is not counted.
    DebtNotCounted,
}

/// The counts of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Different states of the world, workers being all alike.
    pub states: usize,
    /// Moves from one to another.
    pub moves: usize,
    /// Different records.
    pub records: usize,
}
