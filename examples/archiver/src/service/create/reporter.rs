//! The engine's controls for an operation: progress to metadata, checkpoints to the store.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use lro_core::pb::rpc::Status;
use tokio::runtime::Handle;

use super::Context;
use crate::archive::{Checkpoint, Control, Progress, RestartReason, SKIPPED_MAX, Skipped, Start};
use crate::pb::create_archive_metadata::RestartReason as Restart;
use crate::pb::{CreateArchiveCheckpoint, CreateArchiveMetadata};
use crate::reason::entry_skipped;
use crate::service::count;

/// How often progress becomes metadata. The engine tells of every entry.
const INTERVAL: Duration = Duration::from_millis(50);

/// The skipped entries, as partial failures: the first ones of both lists.
pub(super) fn failures(first: &[Skipped], then: &[Skipped]) -> Vec<Status> {
    let all = first.iter().chain(then).take(SKIPPED_MAX);
    all.map(entry_skipped).collect()
}

/// While the source is read.
pub(super) struct ScanReporter<'a> {
    operation: &'a Context,
    metadata: &'a mut CreateArchiveMetadata,
    keeps_totals: bool,
    pace: Pace,
}

impl<'a> ScanReporter<'a> {
    pub(super) fn new(operation: &'a Context, metadata: &'a mut CreateArchiveMetadata) -> Self {
        Self {
            operation,
            metadata,
            keeps_totals: false,
            pace: Pace::default(),
        }
    }

    /// A scan for resuming: the totals of the first one still stand in the metadata.
    pub(super) fn keep_totals(&mut self) {
        self.keeps_totals = true;
    }
}

impl Control for ScanReporter<'_> {
    fn is_stopped(&self) -> bool {
        self.operation.stop_reason().is_some()
    }

    fn progress(&mut self, progress: &Progress) {
        if !self.keeps_totals && self.pace.is_due() {
            self.metadata.files_done = 0;
            self.metadata.bytes_done = 0;
            self.metadata.archive_bytes = 0;
            self.metadata.files_total = count(progress.files_total);
            self.metadata.bytes_total = count(progress.bytes_total);
            self.metadata.skipped_count = count(progress.skipped_count);
            self.operation.set_metadata(self.metadata.clone());
        }
    }
}

/// While the archive is packed.
pub(super) struct PackReporter<'a> {
    operation: &'a Context,
    runtime: &'a Handle,
    metadata: &'a mut CreateArchiveMetadata,
    skipped_by_scan: &'a [Skipped],
    /// The state that an earlier run saved.
    found: Option<&'a Checkpoint>,
    pace: Pace,
}

impl<'a> PackReporter<'a> {
    pub(super) fn new(
        operation: &'a Context,
        runtime: &'a Handle,
        metadata: &'a mut CreateArchiveMetadata,
        skipped_by_scan: &'a [Skipped],
        found: Option<&'a Checkpoint>,
    ) -> Self {
        Self {
            operation,
            runtime,
            metadata,
            skipped_by_scan,
            found,
            pace: Pace::default(),
        }
    }

    fn report(&self) {
        self.operation.set_metadata(self.metadata.clone());
    }
}

impl Control for PackReporter<'_> {
    fn is_stopped(&self) -> bool {
        self.operation.stop_reason().is_some()
    }

    fn started(&mut self, start: Start) {
        let mut skipped: &[Skipped] = &[];
        match start {
            Start::Fresh => {}
            Start::Resumed { archive_bytes } => {
                self.metadata.resumed_bytes = count(archive_bytes);
                if let Some(found) = self.found {
                    skipped = &found.skipped;
                }
            }
            Start::Restarted(reason) => {
                tracing::warn!(?reason, "packs again from the beginning");
                self.metadata.set_restart_reason(match reason {
                    RestartReason::SourceChanged => Restart::SourceChanged,
                    RestartReason::PartialShort => Restart::PartialShort,
                    RestartReason::PartialDamaged => Restart::PartialDamaged,
                });
            }
        }
        self.metadata.partial_failures = failures(self.skipped_by_scan, skipped);
        self.report();
    }

    fn progress(&mut self, progress: &Progress) {
        self.metadata.files_done = count(progress.files_done);
        self.metadata.files_total = count(progress.files_total);
        self.metadata.bytes_done = count(progress.bytes_done);
        self.metadata.bytes_total = count(progress.bytes_total);
        self.metadata.archive_bytes = count(progress.archive_bytes);
        self.metadata.skipped_count = count(progress.skipped_count);
        if self.pace.is_due() {
            self.report();
        }
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> ControlFlow<()> {
        if checkpoint.skipped_count > 0 {
            self.metadata.partial_failures = failures(self.skipped_by_scan, &checkpoint.skipped);
        }
        self.metadata.archive_bytes = count(checkpoint.archive_bytes);
        self.report();
        let message = CreateArchiveCheckpoint::from(checkpoint);
        let saved = self.runtime.block_on(self.operation.checkpoint(&message));
        match saved {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) if self.is_stopped() => ControlFlow::Break(()),
            Err(status) => {
                // Nothing is lost: after a crash it resumes from the one before.
                tracing::warn!(%status, "cannot save a checkpoint");
                ControlFlow::Continue(())
            }
        }
    }
}

/// Says yes now and then.
#[derive(Debug, Default)]
struct Pace {
    last: Option<Instant>,
}

impl Pace {
    fn is_due(&mut self) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= INTERVAL);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }
}
