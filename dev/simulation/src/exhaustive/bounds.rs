//! The size of a search, and its counts.

use super::moves::{WORDS, WORDS_OF_PARENT, WORDS_WITH_SAGAS, WORDS_WITH_STEPS};

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
    /// Whether runs of the first operation start the second one as their child. Then the number of claims
    /// is that of the parent, and the number of generations that of the child.
    pub children: Option<Children>,
    /// A mistake, to show that it is found.
    pub mistake: Option<Mistake>,
}

/// How the child lives, and its parent learns of its end.
#[derive(Clone, Copy, Debug)]
pub struct Children {
    /// How often a child is claimed at most.
    pub claims: u8,
    /// Whether operators forget the step of the parent.
    pub forgets: bool,
    /// Whether the parent may learn of the end of its child later, as if it was locked.
    pub late: bool,
}

impl Bounds {
    /// The commands with which a body of this operation can end.
    pub(super) fn words(self, at: usize) -> &'static [u8] {
        match (self.steps, self.sagas) {
            _ if self.is_parent(at) => &WORDS_OF_PARENT,
            (_, true) => &WORDS_WITH_SAGAS,
            (true, false) => &WORDS_WITH_STEPS,
            (false, false) => &WORDS,
        }
    }

    pub(super) fn is_parent(self, at: usize) -> bool {
        self.children.is_some() && at == 0
    }

    pub(super) fn is_child(self, at: usize) -> bool {
        self.children.is_some() && at > 0
    }

    /// A child is run by nothing in particular: leases are the matter of other searches.
    pub(super) fn workers_of(self, at: usize) -> usize {
        match self.is_child(at) {
            true => 0,
            false => self.workers,
        }
    }

    pub(super) fn forgets_child(self, at: usize) -> bool {
        self.is_parent(at) && self.children.is_some_and(|it| it.forgets)
    }

    pub(super) fn claims(self, at: usize) -> u8 {
        let of_child = self.children.filter(|_| at > 0).map(|it| it.claims);
        of_child.unwrap_or(self.claims)
    }

    pub(super) fn generations(self, at: usize) -> u8 {
        match self.is_parent(at) {
            true => 1,
            false => self.generations,
        }
    }

    pub(super) fn max_attempts(self) -> u32 {
        match self.sagas || self.children.is_some() {
            true => 1,
            false => 2,
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
    /// The end of a child is lost on a parent that runs.
    EndLostInARun,
    /// The end of a child that comes late is taken for that of another child of the step.
    EndOfAnotherChild,
    /// A child is stored although its parent refuses it.
    ChildWithoutParent,
    /// A run that has lost its operation starts a child.
    StaleRunStartsChild,
    /// A run whose cancellation was asked for starts a child.
    CancelledRunStartsChild,
    /// A child that its parent cancels runs on.
    CancellationOfChildLost,
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
