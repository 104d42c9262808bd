//! The findings of the kit.

use std::fmt;

/// The size of a successful [`crash_everywhere`](super::crash_everywhere).
///
/// ```
/// use lro_server::testing::Report;
///
/// assert_eq!(Report::default().runs, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How often the body was run from the start of an operation to its end.
    pub runs: usize,
    /// The runs among them in which the process was killed.
    pub crash_points: usize,
}

/// A failure that [`crash_everywhere`](super::crash_everywhere) has found. Its display is for people, and says how to
/// run it alone.
///
/// ```
/// use lro_server::{OperationContext, testing};
/// use tonic::Status;
///
/// async fn body(operation: OperationContext<()>) -> Result<bool, Status> {
///     operation.promise::<bool>("approved").await
/// }
///
/// # fn main() {
/// let failure = testing::crash_everywhere(|| (), |_, operation| body(operation)).try_run().unwrap_err();
/// assert_eq!((failure.seed(), failure.place()), (0, None));
/// assert!(failure.problem().contains("waits for `approved`"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(super) seed: u64,
    pub(super) place: Option<String>,
    pub(super) problem: String,
}

impl Failure {
    /// The seed, for [`CrashEverywhere::seed`](super::CrashEverywhere::seed).
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Where the process was killed, such as ``after the record of `ask` ``; `None` if it was not.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// The finding.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            place,
            problem,
        } = self;
        match place {
            Some(place) => write!(f, "killed {place} (seed {seed}): {problem}")?,
            None => write!(f, "without a crash (seed {seed}): {problem}")?,
        }
        write!(f, "\n  to run it alone: .seed({seed})")
    }
}

impl std::error::Error for Failure {}
