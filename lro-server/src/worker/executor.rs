//! Executors for the tasks of a worker.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime::Handle;

/// Runs tasks in the place of a tokio runtime: for simulations that model a runtime whose threads
/// are blocked. It changes without notice.
#[doc(hidden)]
pub trait Executor: fmt::Debug + Send + Sync + 'static {
    /// Runs the task.
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>);
}

/// Where bodies and claims run, or renewals.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Runtime(Handle),
    Simulated(Arc<dyn Executor>),
}

impl Place {
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Runtime(handle) => drop(handle.spawn(task)),
            Self::Simulated(executor) => executor.spawn(Box::pin(task)),
        }
    }
}
