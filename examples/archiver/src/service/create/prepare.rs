//! The checks before an operation exists.

use std::fs;
use std::io;
use std::path::Path;

use lro_server::StartOptions;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::archive::Error;
use crate::catalog::{ArchiveId, Catalog};
use crate::pb::{CreateArchiveMetadata, CreateArchiveRequest};
use crate::reason::{already_exists, engine_failed, invalid_field};
use crate::service::{Archiver, blocking, now};

const REQUEST_ID_LEN_MAX: usize = 128;

impl Archiver {
    pub(in crate::service) async fn prepare_create(
        &self,
        request: &Request<CreateArchiveRequest>,
    ) -> Result<StartOptions<CreateArchiveMetadata>, Status> {
        let request = request.get_ref().clone();
        let catalog = self.catalog.clone();
        blocking(move || prepare(&catalog, request)).await
    }
}

fn prepare(
    catalog: &Catalog,
    request: CreateArchiveRequest,
) -> Result<StartOptions<CreateArchiveMetadata>, Status> {
    let CreateArchiveRequest {
        source_directory,
        archive_id,
        request_id,
    } = request;
    let source = Path::new(&source_directory);
    let id = match &*archive_id {
        "" => ArchiveId::generate(source, Uuid::new_v4()),
        given => ArchiveId::new(given)
            .ok_or_else(|| invalid_field("archive_id", format!("give {}", ArchiveId::RULE)))?,
    };
    if request_id.len() > REQUEST_ID_LEN_MAX {
        let message = format!("has more than {REQUEST_ID_LEN_MAX} bytes");
        return Err(invalid_field("request_id", message));
    }
    match catalog.find(&id).map_err(|error| engine_failed(&error))? {
        // A call that is repeated gives the operation that there is, also when it has ended and its
        // source was removed.
        Some(existing) if !request_id.is_empty() && existing.request_id == request_id => {}
        Some(_) => return Err(already_exists(&id)),
        None => {
            check_source(source)?;
            let outside = catalog.destination(&id);
            let outside = outside.and_then(|it| it.ensure_outside(source));
            outside.map_err(|error| source_refused(&error))?;
        }
    }
    let metadata = CreateArchiveMetadata {
        create_time: now(),
        source_directory,
        archive: id.name(),
        ..CreateArchiveMetadata::default()
    };
    Ok(StartOptions::new()
        .metadata(metadata)
        .label("archive", id.as_str())
        .request_id(request_id)
        .exclusive_key(id.name()))
}

fn check_source(source: &Path) -> Result<(), Status> {
    if source.as_os_str().is_empty() {
        let message = "is empty; give the directory to pack";
        return Err(invalid_field("source_directory", message));
    }
    if !source.is_absolute() {
        let message = "is relative; give an absolute path of the server's machine";
        return Err(invalid_field("source_directory", message));
    }
    let path = source.to_path_buf();
    let error = match fs::read_dir(source) {
        Ok(_) => return Ok(()),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Error::SourceNotFound { path },
            io::ErrorKind::NotADirectory => Error::SourceNotDirectory { path },
            _ => Error::SourceUnreadable { path, cause: error },
        },
    };
    Err(source_refused(&error))
}

/// Of a call, where it is an argument that is wrong, and not the state of things.
fn source_refused(error: &Error) -> Status {
    match error {
        Error::SourceNotDirectory { .. } => invalid_field("source_directory", "is not a directory"),
        Error::SourceUnreadable { cause, .. } => {
            invalid_field("source_directory", format!("cannot be read: {cause}"))
        }
        Error::DestinationInsideSource { .. } => {
            let message = "holds the directory that the archives are kept in";
            invalid_field("source_directory", message)
        }
        error => engine_failed(error),
    }
}
