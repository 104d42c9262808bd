//! Which suspects a worker may run.

use std::time::Duration;

use super::record::OperationRecord;

/// The suspects that a claim may take: operations whose worker was lost while they ran, so that one
/// of them may have killed the process.
///
/// After one loss most suspects are innocent: a worker runs a [few](Self::MAX_TOGETHER) of them at a
/// time, beside other operations. After a second loss an operation is *tried*: a worker starts it
/// alone, and starts nothing else until the operation has survived its
/// [quarantine](Self::quarantine), saved a checkpoint, or finished. So a body that kills its process
/// is soon lost alone, which uses up its attempts, and the others are not.
///
/// ```
/// use std::time::Duration;
/// use lro_core::store::Suspects;
///
/// // A worker that runs nothing takes whatever is ready.
/// assert_eq!(Suspects::default().trial_after, Some(Duration::ZERO));
/// assert_eq!(Suspects::quarantine(1), Duration::from_secs(1));
/// assert_eq!(Suspects::quarantine(4), Duration::from_secs(16));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspects {
    /// The maximum number of operations with one loss.
    pub max_together: usize,
    /// Whether the claim may take an operation with more losses, and how long it must have been
    /// ready. It is then the only operation of the claim.
    pub trial_after: Option<Duration>,
}

impl Suspects {
    /// The maximum number of operations with one loss that a worker runs in quarantine at a time.
    pub const MAX_TOGETHER: usize = 8;

    /// How long an operation waits for a worker that runs nothing. After that, a worker starts it
    /// beside others.
    pub const PATIENCE: Duration = Duration::from_secs(30);

    /// No suspects.
    pub const NONE: Self = Self {
        max_together: 0,
        trial_after: None,
    };

    /// How long an operation with this number of losses runs before the worker starts the next
    /// suspect: 1 s, and from the third loss on four times as long as before, up to 68 minutes.
    pub fn quarantine(losses: u32) -> Duration {
        let doublings = 2 * losses.min(OperationRecord::MAX_LOSSES).saturating_sub(2);
        Duration::from_secs(1 << doublings)
    }

    /// Whether an operation with this number of losses starts alone.
    pub fn is_tried_alone(losses: u32) -> bool {
        losses > 1
    }
}

impl Default for Suspects {
    fn default() -> Self {
        Self {
            max_together: usize::MAX,
            trial_after: Some(Duration::ZERO),
        }
    }
}
