//! CreateArchive: validates, then packs on a thread of its own.

mod checkpoint;
mod packing;
mod prepare;
mod reporter;

use lro_server::{HandlerError, OperationContext};
use tokio::runtime::Handle;
use tonic::Status;

use self::packing::Packing;
use super::{Archiver, attempt, blocking};
use crate::catalog::ArchiveId;
use crate::pb::create_archive_metadata::RestartReason;
use crate::pb::{Archive, CreateArchiveCheckpoint, CreateArchiveMetadata, CreateArchiveRequest};

type Context = OperationContext<CreateArchiveMetadata>;

pub(super) async fn run(
    archiver: &Archiver,
    request: CreateArchiveRequest,
    operation: Context,
) -> Result<Archive, HandlerError> {
    // The name that `prepare` has chosen is in the metadata, which is as durable as the operation.
    let mut metadata = operation.metadata()?.unwrap_or_default();
    let id = ArchiveId::from_name(&metadata.archive)
        .ok_or_else(|| Status::internal("the operation's metadata does not name its archive"))?;
    let checkpoint = operation.restore::<CreateArchiveCheckpoint>()?;
    metadata.attempt = attempt(operation.attempt());
    metadata.resumed_bytes = 0;
    metadata.set_restart_reason(RestartReason::Unspecified);
    operation.set_metadata(metadata.clone());
    let packing = Packing {
        catalog: archiver.catalog.clone(),
        options: archiver.options.clone(),
        runtime: Handle::current(),
        id,
        request,
        operation,
        metadata,
        checkpoint: checkpoint.map(Into::into),
    };
    blocking(move || packing.run()).await
}
