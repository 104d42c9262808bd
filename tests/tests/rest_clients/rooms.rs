//! A service whose operations are named in both styles: `buildings/b/floors/f/operations/1` and
//! `operations/1`.

use std::sync::Arc;

use lro_core::store::MemoryStore;
use lro_gateway::{Gateway, GatewayBuilder};
use lro_server::serve::Server;
use lro_server::tonic_types::{ErrorDetails, StatusExt as _};
use lro_server::{OperationContext, Operations, Worker, long_running};
use lro_tests::library as pb;
use lro_tests::library::rooms_server::RoomsServer;
use lro_tests::library::{
    CreateRoomRequest, DeleteRoomRequest, OperationMetadata, Room, UpdateRoomRequest,
};
use tokio::net::TcpListener;
use tonic::{Code, Status};

use crate::served::Served;

struct Building {
    operations: Operations,
}

#[long_running(parent = "buildings/*/floors/*")]
impl pb::rooms_server::Rooms for Building {
    #[long_running]
    async fn create_room(
        &self,
        request: CreateRoomRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<Room, Status> {
        Ok(request.room.unwrap_or_default())
    }

    /// Runs until it is cancelled.
    #[long_running]
    async fn update_room(
        &self,
        _request: UpdateRoomRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<Room, Status> {
        std::future::pending().await
    }

    /// Fails.
    #[long_running]
    async fn delete_room(
        &self,
        request: DeleteRoomRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<(), Status> {
        let name = request.name.unwrap_or_default();
        let metadata = [("room".to_owned(), name.clone())];
        let details = ErrorDetails::with_error_info("ROOM_OCCUPIED", "rooms.example.com", metadata);
        let message = format!("{name} is occupied; empty it first");
        Err(Status::with_error_details(
            Code::FailedPrecondition,
            message,
            details,
        ))
    }

    #[long_running(parent = "")]
    async fn tidy_rooms(
        &self,
        (): (),
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<(), Status> {
        Ok(())
    }
}

/// Serves it until the result is stopped.
pub(crate) async fn serve() -> Served {
    serve_with(|gateway| gateway).await
}

/// Serves it with these settings of the gateway.
pub(crate) async fn serve_with(
    settings: impl FnOnce(GatewayBuilder) -> GatewayBuilder + Send + 'static,
) -> Served {
    let operations = Operations::builder(MemoryStore::new())
        .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
        .unwrap()
        .build();
    let building = Arc::new(Building {
        operations: operations.clone(),
    });
    let worker = Worker::builder(&operations).host(building.clone());
    let server = Server::builder(&operations)
        .add_service(RoomsServer::from_arc(building))
        .worker(worker.start().await.unwrap())
        .http(|services| {
            let gateway = Gateway::builder(services.clone());
            settings(gateway.file_descriptor_sets(services.descriptor_sets())).build()
        });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Served::run(address, |stopped| async {
        server.serve(listener, stopped).await.unwrap();
    })
}
