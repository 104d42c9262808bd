//! The thread that drives everything of a store: connections, queues, timers and the listener.

use std::convert::Infallible;
use std::future::Future;
use std::thread;

use lro_core::store::{StoreError, StoreErrorKind};
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tracing::Instrument as _;

use crate::group::lane::stopped;

/// A runtime on a thread of its own, so that the store makes progress while every thread of the
/// application's runtime is blocked: leases are renewed from elsewhere, and need their connections.
///
/// The thread ends when the last clone is dropped and the last [spawned](Self::spawn) task has
/// finished, and takes the connections along. The runtime is dropped there, so that dropping a store
/// within another runtime blocks nothing.
#[derive(Clone, Debug)]
pub(crate) struct StoreRuntime {
    handle: Handle,
    /// Nothing is ever sent: the thread waits until all of these are dropped.
    keep_alive: mpsc::Sender<Infallible>,
}

impl StoreRuntime {
    /// Starts the thread.
    pub(crate) fn start() -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| {
            let message = "the thread of the store could not be started";
            StoreError::new(StoreErrorKind::Unavailable, message).with_source(error)
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let (keep_alive, mut last_dropped) = mpsc::channel(1);
        thread::Builder::new()
            .name("lro-postgres".to_owned())
            .spawn(move || {
                runtime.block_on(last_dropped.recv());
                // A name that is being looked up is not waited for.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self { handle, keep_alive })
    }

    /// Runs a task of the store, until it finishes or is aborted.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let keep_alive = self.keep_alive.clone();
        self.handle.spawn(async move {
            let result = task.await;
            drop(keep_alive);
            result
        })
    }

    /// Runs a caller's work there, and waits for it. A caller that goes away takes its work along.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let task = self.handle.spawn(work.in_current_span());
        let _abort = AbortOnDrop(task.abort_handle());
        task.await.map_err(|error| {
            if error.is_panic() {
                tracing::error!(%error, "a call of the store panicked");
            }
            stopped()
        })
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
