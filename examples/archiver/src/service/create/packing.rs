use std::path::Path;

use lro_core::Reason as Framework;
use lro_server::{HandlerError, StopReason};
use tokio::runtime::Handle;
use tonic::Status;

use super::Context;
use super::reporter::{PackReporter, ScanReporter, failures};
use crate::archive::{Checkpoint, Destination, Error, Options, PartialGuard, Plan, Summary, pack};
use crate::catalog::{ArchiveId, Catalog, Reservation};
use crate::pb::{Archive, ArchiveRecord, CreateArchiveMetadata, CreateArchiveRequest};
use crate::reason::{Reason, already_exists, engine_failed};
use crate::service::{count, now};

/// One run of the work. Blocks.
pub(super) struct Packing {
    pub(super) catalog: Catalog,
    pub(super) options: Options,
    pub(super) runtime: Handle,
    pub(super) id: ArchiveId,
    pub(super) request: CreateArchiveRequest,
    pub(super) operation: Context,
    pub(super) metadata: CreateArchiveMetadata,
    pub(super) checkpoint: Option<Checkpoint>,
}

impl Packing {
    pub(super) fn run(mut self) -> Result<Archive, HandlerError> {
        let destination = self.catalog.destination(&self.id).map_err(failed)?;
        // Another run has it while it notices that it has lost its lease.
        let Some(reservation) = self.catalog.reserve(&self.id) else {
            return Err(self.busy());
        };
        // From here on, whatever goes wrong for good leaves no partial file of an earlier attempt.
        let unfinished = PartialGuard::new(&destination);
        let recorded = self.catalog.find(&self.id).map_err(failed)?;
        if let Some(record) = recorded {
            return self.recorded(&record);
        }
        self.catalog.reopen(&reservation).map_err(failed)?;
        match self.pack(&destination) {
            Ok(summary) => self.record(&reservation, &summary),
            Err(Error::Stopped) => Err(self.stopped(unfinished)),
            Err(Error::Busy { .. }) => {
                unfinished.keep();
                Err(self.busy())
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The archive is there: this operation's own work, if the process ended before that was
    /// known; or another's, that was faster.
    fn recorded(&self, record: &ArchiveRecord) -> Result<Archive, HandlerError> {
        if record.operation != self.operation.name().as_str() {
            return Err(already_exists(&self.id).into());
        }
        match self.catalog.get(&self.id).map_err(failed)? {
            Some(archive) => Ok(archive),
            None => Err(self.busy()),
        }
    }

    fn pack(&mut self, destination: &Destination) -> Result<Summary, Error> {
        let source = Path::new(&self.request.source_directory);
        let mut scan = ScanReporter::new(&self.operation, &mut self.metadata);
        if self.checkpoint.is_some() {
            scan.keep_totals();
        }
        let plan = Plan::scan(source, &mut scan)?;
        let mut reporter = PackReporter::new(
            &self.operation,
            &self.runtime,
            &mut self.metadata,
            plan.skipped(),
            self.checkpoint.as_ref(),
        );
        let checkpoint = self.checkpoint.as_ref();
        pack(&plan, destination, &self.options, checkpoint, &mut reporter)
    }

    /// Makes the complete archive visible, or removes it.
    fn record(
        mut self,
        reservation: &Reservation,
        summary: &Summary,
    ) -> Result<Archive, HandlerError> {
        let partial_failures = failures(&summary.skipped, &[]);
        self.metadata.skipped_count = count(summary.skipped_count);
        self.metadata.partial_failures.clone_from(&partial_failures);
        self.metadata.archive_bytes = count(summary.archive_bytes);
        self.operation.set_metadata(self.metadata);
        let archive = Archive {
            name: self.id.name(),
            create_time: now(),
            source_directory: self.request.source_directory,
            path: String::new(),
            size_bytes: count(summary.archive_bytes),
            sha256: hex::encode(summary.sha256),
            file_count: count(summary.files),
            directory_count: count(summary.directories),
            symlink_count: count(summary.symlinks),
            source_size_bytes: count(summary.source_bytes),
            skipped_count: count(summary.skipped_count),
            partial_failures,
        };
        let record = ArchiveRecord {
            archive: Some(archive),
            operation: self.operation.name().to_string(),
            request_id: self.request.request_id,
        };
        let recorded = self.catalog.record(reservation, record);
        recorded.map_err(|error| {
            if let Err(left) = self.catalog.remove(reservation) {
                tracing::error!(id = %self.id, error = ?left, "cannot remove an archive without a record");
            }
            failed(error)
        })
    }

    /// The next attempt resumes with the partial file; otherwise the file is removed.
    fn stopped(&self, unfinished: PartialGuard) -> HandlerError {
        match self.operation.stop_reason() {
            Some(StopReason::Draining | StopReason::LeaseLost) => {
                unfinished.keep();
                failed(Error::Stopped)
            }
            Some(StopReason::Cancelled) => Framework::OperationCancelled
                .status("the packing was cancelled", [])
                .into(),
            _ => failed(Error::Stopped),
        }
    }

    fn busy(&self) -> HandlerError {
        let name = self.id.name();
        let message = format!("archive `{name}` is being written by another run");
        HandlerError::retry(Reason::ArchiveBusy.status(message, &[("archive", &name)]))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: Error) -> HandlerError {
    let status: Status = engine_failed(&error);
    status.into()
}
