//! Connections that are refused because a limit is reached.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::admission::Full;
use crate::engine::metrics::Metrics;

/// The shortest time between two warnings.
const WARN_INTERVAL: Duration = Duration::from_secs(10);

/// Counts refused connections, and warns of them at most once in [`WARN_INTERVAL`].
#[derive(Debug)]
pub(super) struct Refusals {
    metrics: Metrics,
    warned: Option<Instant>,
    /// Connections refused since the last warning.
    refused: u64,
}

impl Refusals {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            warned: None,
            refused: 0,
        }
    }

    pub(super) fn add(&mut self, address: SocketAddr, full: Full) {
        self.metrics.connection_refused(full.limit());
        self.refused += 1;
        let is_quiet = |warned: Instant| warned.elapsed() < WARN_INTERVAL;
        if self.warned.is_some_and(is_quiet) {
            return;
        }
        let (limit, refused) = (full.limit(), self.refused);
        tracing::warn!(%address, limit, refused, "connections refused: limit reached");
        self.warned = Some(Instant::now());
        self.refused = 0;
    }
}
