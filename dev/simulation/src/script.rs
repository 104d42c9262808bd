//! Bodies that follow a script: sleep, save, block their thread, kill their process.

use std::time::Duration;

use lro_server::{HandlerError, OperationContext};

use crate::link::Link;
use crate::service::{Progress, Saved, save, sleep};

/// A step of a body.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Step {
    /// A number of [`Does`].
    #[prost(enumeration = "Does", tag = "1")]
    does: i32,
    /// For how long.
    #[prost(uint64, tag = "2")]
    millis: u64,
}

/// The kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum Does {
    Sleep = 0,
    Save = 1,
    Kill = 2,
    Block = 3,
    BlockOnce = 4,
}

impl Step {
    fn new(does: Does, time: Duration) -> Self {
        Self {
            does: does as i32,
            millis: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Sleeps.
    pub(crate) fn sleep(time: Duration) -> Self {
        Self::new(Does::Sleep, time)
    }

    /// Saves a checkpoint. A later run resumes behind it.
    pub(crate) fn save() -> Self {
        Self::new(Does::Save, Duration::ZERO)
    }

    /// Kills the process.
    pub(crate) fn kill() -> Self {
        Self::new(Does::Kill, Duration::ZERO)
    }

    /// Blocks the thread of all bodies.
    pub(crate) fn block(time: Duration) -> Self {
        Self::new(Does::Block, time)
    }

    /// Blocks the thread of all bodies, but only in the first run of the operation.
    pub(crate) fn block_once(time: Duration) -> Self {
        Self::new(Does::BlockOnce, time)
    }
}

/// Follows the steps, from behind the last checkpoint.
pub(crate) async fn follow(
    link: &Link,
    steps: &[Step],
    operation: &OperationContext<Progress>,
) -> Result<(), HandlerError> {
    let saved = operation.restore::<Saved>()?.map_or(0, |saved| saved.count);
    let mut passed = 0;
    for step in steps {
        let is_behind = passed < saved;
        passed += u64::from(step.does() == Does::Save);
        if is_behind {
            continue;
        }
        match step.does() {
            Does::Sleep => sleep(step.millis).await,
            Does::Save => save(link, operation).await?,
            Does::Kill => {
                link.kill_from_within();
                std::future::pending::<()>().await;
            }
            Does::Block => block(link, step.millis).await,
            Does::BlockOnce => {
                if operation.fence() == 1 {
                    block(link, step.millis).await;
                }
            }
        }
    }
    Ok(())
}

async fn block(link: &Link, millis: u64) {
    link.thread().block(Duration::from_millis(millis));
    tokio::task::yield_now().await;
}
