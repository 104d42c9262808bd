//! One type that serves two services, under every lint: what the attribute adds must not warn.
#![deny(
    warnings,
    clippy::pedantic,
    missing_debug_implementations,
    single_use_lifetimes,
    unused,
    unused_qualifications
)]

use std::sync::Arc;

use lro_core::wkt;
use lro_server::{HandlerError, OperationContext, Operations, long_running};
use lro_tests::library as pb;
use lro_tests::library::{
    CreateShelfRequest, GetShelfRequest, LendRequest, Loan, OperationMetadata, Shelf,
};
use prost_types::Any;
use tokio::sync::{Notify, Semaphore};
use tonic::{Request, Response, Status, Streaming};

/// The behaviour that a test asks for.
pub(crate) trait Place: Send + Sync + 'static {
    fn enter(&self) -> impl Future<Output = Result<(), Closed>> + Send;
}

/// Lets bodies in when a test opens it.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) started: Notify,
    pub(crate) open: Semaphore,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            started: Notify::new(),
            open: Semaphore::new(0),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Closed;

impl From<Closed> for Status {
    fn from(Closed: Closed) -> Self {
        Self::unavailable("closed")
    }
}

impl Place for Desk {
    async fn enter(&self) -> Result<(), Closed> {
        self.started.notify_one();
        self.open.acquire().await.map_err(|_| Closed)?.forget();
        Ok(())
    }
}

#[derive(Debug)]
struct Inner<D> {
    operations: Operations,
    place: Arc<D>,
}

#[derive(Debug)]
pub(crate) struct Service<D> {
    inner: Inner<D>,
}

impl<D> Service<D> {
    pub(crate) fn new(operations: Operations, place: Arc<D>) -> Self {
        Self {
            inner: Inner { operations, place },
        }
    }
}

/// Serves the library.
#[long_running(operations = self.inner.operations)]
impl<D> pb::library_server::Library for Service<D>
where
    D: Place,
{
    type ListShelvesStream = tokio_stream::Iter<std::vec::IntoIter<Result<Shelf, Status>>>;
    type ChatStream = Streaming<Shelf>;

    /// With the standard fields in both messages.
    #[long_running(response = Shelf, metadata = OperationMetadata, cancel_grace = "10ms")]
    async fn create_shelf(
        &self,
        request: CreateShelfRequest,
        operation: OperationContext<OperationMetadata>,
    ) -> Result<Shelf, Closed> {
        operation.set_metadata(OperationMetadata {
            percent: 50,
            verb: "written over".to_owned(),
            ..OperationMetadata::default()
        });
        self.inner.place.enter().await?;
        Ok(request.shelf.unwrap_or_default())
    }

    #[long_running(max_attempts = 2)]
    async fn purge(
        &self,
        (): (),
        operation: OperationContext<wkt::Struct>,
    ) -> Result<(), HandlerError> {
        match operation.attempt() {
            1 => {
                let busy = HandlerError::retry(Status::unavailable("busy"));
                Err(busy.after(std::time::Duration::from_millis(1)))
            }
            _ => Ok(()),
        }
    }

    #[long_running]
    #[cfg(not(any()))]
    #[allow(clippy::used_underscore_binding)]
    async fn r#type(
        &self,
        Shelf { name, .. }: Shelf,
        _operation: OperationContext<Any>,
    ) -> tonic::Result<wkt::Struct> {
        let mut response = wkt::Struct::default();
        response.fields.insert("type".to_owned(), text(name));
        Ok(response)
    }

    #[long_running(response = Shelf, metadata = Shelf)]
    async fn index(
        &self,
        request: Shelf,
        operation: OperationContext<Shelf>,
    ) -> Result<Shelf, Status> {
        operation.set_metadata(request.clone());
        Ok(request)
    }

    async fn get_shelf(
        &self,
        request: Request<GetShelfRequest>,
    ) -> Result<Response<Shelf>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(Shelf { name }))
    }

    async fn list_shelves(
        &self,
        request: Request<GetShelfRequest>,
    ) -> Result<Response<Self::ListShelvesStream>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(tokio_stream::iter(vec![Ok(Shelf { name })])))
    }

    async fn add_shelves(
        &self,
        request: Request<Streaming<Shelf>>,
    ) -> Result<Response<Shelf>, Status> {
        let mut shelves = request.into_inner();
        let mut last = Shelf::default();
        while let Some(shelf) = shelves.message().await? {
            last = shelf;
        }
        Ok(Response::new(last))
    }

    async fn chat(
        &self,
        request: Request<Streaming<Shelf>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// Also serves the loans.
#[long_running(operations = self.inner.operations)]
impl<D: Place> pb::loans_server::Loans for Service<D> {
    #[long_running]
    async fn lend(
        &self,
        request: LendRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<Loan, Status> {
        Ok(Loan { name: request.name })
    }
}

fn text(text: String) -> prost_types::Value {
    prost_types::Value {
        kind: Some(prost_types::value::Kind::StringValue(text)),
    }
}
