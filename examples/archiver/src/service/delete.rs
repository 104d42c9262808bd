//! DeleteArchive.

use lro_server::{HandlerError, StartOptions};
use tonic::{Request, Status};

use super::{Archiver, blocking, now, parse_name};
use crate::pb::{DeleteArchiveMetadata, DeleteArchiveRequest};
use crate::reason::{Reason, engine_failed};

impl Archiver {
    pub(super) async fn prepare_delete(
        &self,
        request: &Request<DeleteArchiveRequest>,
    ) -> Result<StartOptions<DeleteArchiveMetadata>, Status> {
        let (id, _) = self.existing(&request.get_ref().name).await?;
        let metadata = DeleteArchiveMetadata {
            create_time: now(),
            archive: id.name(),
        };
        Ok(StartOptions::new()
            .metadata(metadata)
            .label("archive", id.as_str())
            .exclusive_key(id.name()))
    }
}

/// Safe to repeat: a removed archive stays removed.
pub(super) async fn run(
    archiver: &Archiver,
    request: &DeleteArchiveRequest,
) -> Result<(), HandlerError> {
    let id = parse_name(&request.name)?;
    let catalog = archiver.catalog.clone();
    blocking(move || {
        let Some(reservation) = catalog.reserve(&id) else {
            let name = id.name();
            let message = format!("archive `{name}` is being written");
            return Err(HandlerError::retry(
                Reason::ArchiveBusy.status(message, &[("archive", &name)]),
            ));
        };
        let removed = catalog.remove(&reservation);
        removed.map_err(|error| engine_failed(&error).into())
    })
    .await
}
