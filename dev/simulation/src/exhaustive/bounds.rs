//! The size of a search, and its counts.

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
    /// A mistake, to show that it is found.
    pub mistake: Option<Mistake>,
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
