//! Runs the renewals on a separate thread, so that a body that blocks its thread costs no operation
//! its lease.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Dispatch;

use super::executor::Place;
use super::{Shared, lease};

/// The pause before renewals restart after a panic.
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// Starts to renew the leases of a worker: in a thread with a runtime of its own, or, under tokio's
/// paused clock, which no other thread follows, on the current runtime.
///
/// # Errors
///
/// If the thread or its runtime cannot be created.
pub(super) async fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let place = shared.settings.renew_on.clone();
    match place {
        Some(executor) => {
            Place::Simulated(executor).spawn(renewals(shared.clone()));
            start_probe(shared);
        }
        None if is_clock_paused() => shared.place.spawn(renewals(shared.clone())),
        None => {
            start_thread(shared).await?;
            start_probe(shared);
        }
    }
    Ok(())
}

fn start_probe(shared: &Shared) {
    /// With a longer interval, stalls would be detected late.
    const LONGEST: Duration = Duration::from_secs(1);
    let interval = (shared.settings.lease_duration / 6).min(LONGEST);
    let probe = shared.probe.watch(interval);
    let ended = shared.renewals_ended.clone();
    shared.place.spawn(async move {
        tokio::select! {
            () = probe => {}
            () = ended.cancelled() => {}
        }
    });
}

async fn start_thread(shared: &Arc<Shared>) -> io::Result<()> {
    let (ready, started) = oneshot::channel();
    let shared = shared.clone();
    let logs = tracing::dispatcher::get_default(Dispatch::clone);
    let thread = thread::Builder::new().name("lro-leases".to_owned());
    thread.spawn(move || {
        let _logs = tracing::dispatcher::set_default(&logs);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = match runtime.enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        ready.send(Ok(())).ok();
        runtime.block_on(keep_renewing(&shared));
        drop(runtime);
        end(shared);
    })?;
    let stopped = || Err(io::Error::other("the thread ended"));
    started.await.unwrap_or_else(|_| stopped())
}

async fn renewals(shared: Arc<Shared>) {
    keep_renewing(&shared).await;
    end(shared);
}

/// Renews until the worker has ended. A panic of the store or of this crate does not stop it.
async fn keep_renewing(shared: &Arc<Shared>) {
    while let Err(panic) = AssertUnwindSafe(lease::keep_leases(shared))
        .catch_unwind()
        .await
    {
        tracing::error!("renewing leases panicked; restarting");
        drop(panic);
        tokio::time::sleep(RESTART_PAUSE).await;
    }
}

/// Drops the store, if this is its last user, before it signals the end.
fn end(shared: Arc<Shared>) {
    shared.set_stalled(false);
    let ended = shared.renewals_ended.clone();
    drop(shared);
    ended.cancel();
}

/// Whether tokio's clock on this thread stands still, as in tests with `start_paused`.
fn is_clock_paused() -> bool {
    let before = std::time::Instant::now();
    let clock = Instant::now().into_std();
    clock < before || clock > std::time::Instant::now()
}
