//! VerifyArchive.

use std::path::PathBuf;

use lro_core::Reason as Framework;
use lro_server::{OperationContext, StartOptions, StopReason};
use tonic::{Request, Status};

use super::{Archiver, attempt, blocking, count, now, parse_name};
use crate::archive::{Control, Error, Progress, Verification, verify};
use crate::catalog::{ArchiveId, Catalog};
use crate::pb::{Archive, VerifyArchiveMetadata, VerifyArchiveRequest, VerifyArchiveResponse};
use crate::reason::{Reason, engine_failed, not_found};

type Context = OperationContext<VerifyArchiveMetadata>;

impl Archiver {
    pub(super) async fn prepare_verify(
        &self,
        request: &Request<VerifyArchiveRequest>,
    ) -> Result<StartOptions<VerifyArchiveMetadata>, Status> {
        let (id, archive) = self.existing(&request.get_ref().name).await?;
        let metadata = VerifyArchiveMetadata {
            create_time: now(),
            archive: id.name(),
            files_total: archive.file_count,
            bytes_total: archive.size_bytes,
            ..VerifyArchiveMetadata::default()
        };
        Ok(StartOptions::new()
            .metadata(metadata)
            .label("archive", id.as_str()))
    }
}

pub(super) async fn run(
    archiver: &Archiver,
    request: &VerifyArchiveRequest,
    operation: Context,
) -> Result<VerifyArchiveResponse, Status> {
    let id = parse_name(&request.name)?;
    let mut metadata = operation.metadata()?.unwrap_or_default();
    metadata.attempt = attempt(operation.attempt());
    let catalog = archiver.catalog.clone();
    let mut reporter = Reporter {
        operation,
        metadata,
    };
    blocking(move || compare(&catalog, &id, &mut reporter)).await
}

fn compare(
    catalog: &Catalog,
    id: &ArchiveId,
    reporter: &mut Reporter,
) -> Result<VerifyArchiveResponse, Status> {
    let recorded = catalog.get(id).map_err(|error| engine_failed(&error))?;
    let Some(recorded) = recorded else {
        // Deleted since the call.
        return Err(not_found(id));
    };
    let found = match verify(&PathBuf::from(&recorded.path), reporter) {
        Ok(found) => found,
        Err(Error::Io { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
            return Err(corrupt(&recorded, "its file is missing"));
        }
        Err(Error::Stopped) if reporter.operation.stop_reason() == Some(StopReason::Cancelled) => {
            return Err(Framework::OperationCancelled.status("the verification was cancelled", []));
        }
        Err(error) => return Err(engine_failed(&error)),
    };
    reporter.operation.set_metadata(reporter.metadata.clone());
    if let Some(what) = difference(&recorded, &found) {
        return Err(corrupt(&recorded, &what));
    }
    Ok(VerifyArchiveResponse {
        archive: recorded.name,
        sha256: recorded.sha256,
        size_bytes: recorded.size_bytes,
        file_count: count(found.files),
        directory_count: count(found.directories),
        symlink_count: count(found.symlinks),
    })
}

fn difference(recorded: &Archive, found: &Verification) -> Option<String> {
    let sha256 = hex::encode(found.sha256);
    (sha256 != recorded.sha256).then(|| {
        let recorded = &recorded.sha256;
        format!("its SHA-256 is {sha256}, and was {recorded} when it was made")
    })
}

fn corrupt(recorded: &Archive, what: &str) -> Status {
    let name = &*recorded.name;
    let message = format!("archive `{name}` is corrupt: {what}");
    Reason::ArchiveDamaged.status(message, &[("archive", name)])
}

/// The engine's control for an operation.
struct Reporter {
    operation: Context,
    metadata: VerifyArchiveMetadata,
}

impl Control for Reporter {
    fn is_stopped(&self) -> bool {
        self.operation.stop_reason().is_some()
    }

    fn progress(&mut self, progress: &Progress) {
        self.metadata.files_done = count(progress.files_done);
        self.metadata.bytes_done = count(progress.bytes_done);
        self.operation.set_metadata(self.metadata.clone());
    }
}
