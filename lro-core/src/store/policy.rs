//! How the operations of a method are run and kept.

use std::time::Duration;

/// The policy of running an operation: set by its method, and stored with it, so that a worker that
/// resumes it after a crash can apply it.
///
/// ```
/// use lro_core::store::{ExecutionPolicy, OnCrash};
///
/// let policy = ExecutionPolicy { on_crash: OnCrash::Abort, ..ExecutionPolicy::default() };
/// assert_eq!(policy.max_attempts, 10);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionPolicy {
    /// How often the body may be run, at least 1.
    pub max_attempts: u32,
    /// The action when its worker is lost.
    pub on_crash: OnCrash,
    /// How long it is kept after its end.
    pub retain: Duration,
}

impl ExecutionPolicy {
    /// The default of [`max_attempts`](Self::max_attempts).
    pub const MAX_ATTEMPTS: u32 = 10;
    /// The default of [`retain`](Self::retain): 30 days, the rule of thumb of AIP-151.
    pub const DEFAULT_RETAIN: Duration = Duration::from_secs(30 * 24 * 60 * 60);
}

impl Default for ExecutionPolicy {
    fn default() -> Self {
        Self {
            max_attempts: Self::MAX_ATTEMPTS,
            on_crash: OnCrash::Resume,
            retain: Self::DEFAULT_RETAIN,
        }
    }
}

/// The action for an operation whose worker is lost.
///
/// ```
/// use lro_core::store::OnCrash;
///
/// assert_eq!(OnCrash::default(), OnCrash::Resume);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnCrash {
    /// The body runs again, with its last checkpoint.
    #[default]
    Resume,
    /// It ends with ABORTED.
    Abort,
    /// The body runs again, also after the operation was cancelled: only the body ends it. A cancellation does not
    /// drop the body's future, and an operation that no worker holds becomes ready instead of ending.
    ///
    /// The loss of its worker makes it no [suspect](super::Suspects): such a body waits, and no process dies of it.
    ///
    /// For bodies whose cancellation takes time and must not be lost, such as those that forward it to another server.
    ResumeCancelled,
}
