//! Purges expired operations, in small batches.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::engine::backoff::Backoff;

/// The interval between searches for expired operations.
const INTERVAL: Duration = Duration::from_secs(60);

/// The maximum number of operations in one call, so that other calls are served in between.
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
