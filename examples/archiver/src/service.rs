//! The service: requests in, operations out.

mod create;
mod delete;
mod list;
pub(crate) mod sweep;
mod verify;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use lro_core::{Clock as _, SystemClock};
use lro_server::{HandlerError, OperationContext, Operations, long_running};
use prost_types::Timestamp;
use tonic::{Request, Response, Status};

use crate::archive::Options;
use crate::catalog::{ArchiveId, Catalog};
use crate::pb::{self, Archive};
use crate::reason;

/// The service `examples.archiver.v1.Archiver` over one directory of archives.
///
/// ```
/// use std::sync::Arc;
/// use archiver::{Archiver, archive::Options, pb};
/// use lro_core::store::MemoryStore;
/// use lro_server::{Operations, Worker};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let temporary = tempfile::tempdir()?;
/// # let archives = temporary.path().join("archives");
/// let operations = Operations::new(MemoryStore::new());
/// let archiver = Archiver::new(&operations, &archives, Options::default())?;
/// let archiver = Arc::new(archiver);
/// let worker = Worker::builder(&operations).host(archiver.clone()).start().await?;
/// let service = pb::archiver_server::ArchiverServer::from_arc(archiver);
/// // .. add the service, and operations.service(), to a tonic server ..
/// # drop(service);
/// worker.drain().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Archiver {
    operations: Operations,
    catalog: Catalog,
    options: Options,
}

impl Archiver {
    /// A service that keeps its archives in this directory, which is made if it is not there. One
    /// process at a time may use it.
    ///
    /// # Errors
    ///
    /// The error of the system about the directory.
    pub fn new(operations: &Operations, archives: &Path, options: Options) -> io::Result<Self> {
        Ok(Self {
            operations: operations.clone(),
            catalog: Catalog::open(archives)?,
            options,
        })
    }

    /// Removes what operations have left behind that will not run again, because they ended while
    /// no body ran: cancelled between two runs, or given up when their last run was lost.
    ///
    /// # Errors
    ///
    /// The failure of the store or of the directory.
    pub async fn sweep(&self) -> Result<(), Status> {
        sweep::run(&self.operations, &self.catalog).await
    }
}

#[long_running]
impl pb::archiver_server::Archiver for Archiver {
    #[long_running(
        response = Archive,
        metadata = pb::CreateArchiveMetadata,
        prepare = Self::prepare_create,
        cancel_grace = "30s",
        concurrency = 8
    )]
    async fn create_archive(
        &self,
        request: pb::CreateArchiveRequest,
        operation: OperationContext<pb::CreateArchiveMetadata>,
    ) -> Result<Archive, HandlerError> {
        create::run(self, request, operation).await
    }

    #[long_running(
        response = pb::VerifyArchiveResponse,
        metadata = pb::VerifyArchiveMetadata,
        prepare = Self::prepare_verify,
        cancel_grace = "30s",
        concurrency = 8
    )]
    async fn verify_archive(
        &self,
        request: pb::VerifyArchiveRequest,
        operation: OperationContext<pb::VerifyArchiveMetadata>,
    ) -> Result<pb::VerifyArchiveResponse, Status> {
        verify::run(self, &request, operation).await
    }

    #[long_running(
        response = (),
        metadata = pb::DeleteArchiveMetadata,
        prepare = Self::prepare_delete,
        cancel_grace = "30s"
    )]
    async fn delete_archive(
        &self,
        request: pb::DeleteArchiveRequest,
        _operation: OperationContext<pb::DeleteArchiveMetadata>,
    ) -> Result<(), HandlerError> {
        delete::run(self, &request).await
    }

    async fn get_archive(
        &self,
        request: Request<pb::GetArchiveRequest>,
    ) -> Result<Response<Archive>, Status> {
        let (_, archive) = self.existing(&request.get_ref().name).await?;
        Ok(Response::new(archive))
    }

    async fn list_archives(
        &self,
        request: Request<pb::ListArchivesRequest>,
    ) -> Result<Response<pb::ListArchivesResponse>, Status> {
        let page = list::run(&self.catalog, request.get_ref()).await?;
        Ok(Response::new(page))
    }
}

impl Archiver {
    /// The archive of that name.
    async fn existing(&self, name: &str) -> Result<(ArchiveId, Archive), Status> {
        let id = parse_name(name)?;
        let catalog = self.catalog.clone();
        blocking(move || match catalog.get(&id) {
            Ok(Some(archive)) => Ok((id, archive)),
            Ok(None) => Err(reason::not_found(&id)),
            Err(error) => Err(reason::engine_failed(&error)),
        })
        .await
    }
}

fn parse_name(name: &str) -> Result<ArchiveId, Status> {
    ArchiveId::from_name(name).ok_or_else(|| {
        let rule = ArchiveId::RULE;
        reason::invalid_field("name", format!("give `archives/` and an id: {rule}"))
    })
}

/// Runs what blocks off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down, and drops this future with everything else.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The time, for people.
fn now() -> Option<Timestamp> {
    Some(SystemClock.now().into())
}

/// A count on the wire.
fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// An attempt on the wire.
fn attempt(attempt: u32) -> i32 {
    i32::try_from(attempt).unwrap_or(i32::MAX)
}
