//! Removes operations whose time is over, in small batches.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::engine::backoff::Backoff;

/// How often expired operations are looked for.
const INTERVAL: Duration = Duration::from_secs(60);

/// The most operations in one call, so that other calls get their turn in between.
const PURGE_MAX: usize = 500;

pub(super) async fn keep_purging(shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = match shared.store().purge(PURGE_MAX).await {
            Ok(removed) => {
                backoff.succeeded("expired operations are removed again");
                // A full batch: there is more.
                match removed < PURGE_MAX {
                    true => INTERVAL,
                    false => Duration::ZERO,
                }
            }
            Err(error) => backoff.failed("cannot remove expired operations", &error),
        };
    }
}
