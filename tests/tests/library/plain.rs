//! A method without the engine's care for standard fields.

use std::sync::Arc;

use lro_client::OperationsClient;
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, Worker, long_running};
use lro_tests::library as pb;
use lro_tests::library::library_server::Library;
use lro_tests::library::{CreateShelfRequest, GetShelfRequest, OperationMetadata, Shelf};
use prost_types::Any;
use tonic::{Request, Response, Status, Streaming};

use crate::standard_fields::request;

struct Plain {
    operations: Operations,
}

type Raw = lro_core::Operation<Any, Any>;
type Stream = Streaming<Shelf>;

/// Operations without a mark are written as tonic has them.
#[long_running]
impl pb::library_server::Library for Plain {
    type ListShelvesStream = Stream;
    type ChatStream = Stream;

    #[long_running(standard_fields = false)]
    async fn create_shelf(
        &self,
        request: CreateShelfRequest,
        operation: OperationContext<OperationMetadata>,
    ) -> Result<Shelf, Status> {
        operation.set_metadata(OperationMetadata {
            verb: "its own".into(),
            ..OperationMetadata::default()
        });
        Ok(request.shelf.unwrap_or_default())
    }

    async fn purge(
        &self,
        _: Request<()>,
    ) -> Result<Response<lro_core::Operation<(), lro_core::wkt::Struct>>, Status> {
        Err(Status::unimplemented("elsewhere"))
    }

    async fn r#type(
        &self,
        _: Request<Shelf>,
    ) -> Result<Response<lro_core::Operation<lro_core::wkt::Struct, Any>>, Status> {
        Err(Status::unimplemented("elsewhere"))
    }

    async fn index(&self, _: Request<Shelf>) -> Result<Response<Raw>, Status> {
        Err(Status::unimplemented("elsewhere"))
    }

    async fn get_shelf(&self, _: Request<GetShelfRequest>) -> Result<Response<Shelf>, Status> {
        Err(Status::unimplemented("elsewhere"))
    }

    async fn list_shelves(&self, _: Request<GetShelfRequest>) -> Result<Response<Stream>, Status> {
        Err(Status::unimplemented("elsewhere"))
    }

    async fn add_shelves(&self, _: Request<Stream>) -> Result<Response<Shelf>, Status> {
        Err(Status::unimplemented("elsewhere"))
    }

    async fn chat(&self, _: Request<Stream>) -> Result<Response<Stream>, Status> {
        Err(Status::unimplemented("elsewhere"))
    }
}

#[tokio::test]
async fn standard_fields_are_the_handlers_own() {
    let operations = Operations::new(MemoryStore::new());
    let client = OperationsClient::new(operations.service());
    let service = Arc::new(Plain {
        operations: operations.clone(),
    });
    let worker = Worker::builder(&operations).host(service.clone());
    let _worker = worker.start().await.unwrap();

    // Neither `validate_only` nor `request_id` means anything to the engine.
    let start = async || {
        let request = Request::new(request("a", true));
        let started = Library::create_shelf(&*service, request).await;
        started.unwrap().into_inner()
    };
    let (started, again) = (start().await, start().await);
    assert_ne!(started.name(), "");
    assert_ne!(started.name(), again.name());
    let ended = crate::end(&client, &started).await;
    assert_eq!(ended.outcome().unwrap().response().unwrap().name, "poems");
    let metadata = ended.metadata().unwrap().unwrap();
    assert_eq!(metadata.verb, "its own");
    assert_eq!(metadata.create_time, None);
    assert_eq!(metadata.target, "");
}
