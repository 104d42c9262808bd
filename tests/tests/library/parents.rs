//! Operations live below what their requests name.

use std::sync::Arc;

use lro_client::{ListOptions, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, StartOptions, Worker, long_running};
use lro_tests::library as pb;
use lro_tests::library::rooms_client::RoomsClient;
use lro_tests::library::rooms_server::RoomsServer;
use lro_tests::library::{
    CreateRoomRequest, DeleteRoomRequest, OperationMetadata, Room, UpdateRoomRequest,
};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

struct Building {
    operations: Operations,
}

impl Building {
    /// Rooms without a name are made in the yard.
    async fn prepare(
        &self,
        request: &Request<CreateRoomRequest>,
    ) -> Result<StartOptions<OperationMetadata>, Status> {
        let options = StartOptions::new();
        match request.get_ref().room {
            Some(_) => Ok(options),
            None => Ok(options.parent("yards/one".parse().map_err(|_| Status::internal(""))?)),
        }
    }
}

#[long_running(parent = "buildings/*/floors/*")]
impl pb::rooms_server::Rooms for Building {
    #[long_running(prepare = Self::prepare)]
    async fn create_room(
        &self,
        request: CreateRoomRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<Room, Status> {
        Ok(request.room.unwrap_or_default())
    }

    #[long_running(standard_fields = false)]
    async fn update_room(
        &self,
        request: UpdateRoomRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<Room, Status> {
        Ok(request.room.unwrap_or_default())
    }

    #[long_running(parent = "buildings/*")]
    async fn delete_room(
        &self,
        _request: DeleteRoomRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<(), Status> {
        Ok(())
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

struct Fixture {
    rooms: RoomsClient<RoomsServer<Building>>,
    operations: OperationsClient,
    _worker: Worker,
}

impl Fixture {
    async fn start() -> Self {
        let operations = Operations::new(MemoryStore::new());
        let building = Arc::new(Building {
            operations: operations.clone(),
        });
        let worker = Worker::builder(&operations).host(building.clone());
        Self {
            rooms: RoomsClient::new(RoomsServer::from_arc(building)),
            operations: OperationsClient::new(operations.service()),
            _worker: worker.start().await.unwrap(),
        }
    }

    async fn create(&mut self, parent: &str, room: Option<&str>) -> Result<String, Status> {
        let request = CreateRoomRequest {
            parent: parent.into(),
            room: room.map(|name| Room { name: name.into() }),
        };
        let started = self.rooms.create_room(request).await?.into_inner();
        Ok(started.name().to_owned())
    }
}

fn parent(operation: &str) -> &str {
    operation.rsplit_once("/operations/").map_or("", |it| it.0)
}

const FLOOR: &str = "buildings/b/floors/2";

#[tokio::test]
async fn an_operation_is_named_below_the_start_of_what_its_request_names() {
    let mut it = Fixture::start().await;
    let created = it.create(FLOOR, Some("x")).await.unwrap();
    assert_eq!(parent(&created), FLOOR);

    let name = format!("{FLOOR}/rooms/r");
    let room = Some(Room { name: name.clone() });
    let updated = it.rooms.update_room(UpdateRoomRequest { room }).await;
    assert_eq!(parent(updated.unwrap().get_ref().name()), FLOOR);

    let request = DeleteRoomRequest { name: Some(name) };
    let deleted = it.rooms.delete_room(request).await.unwrap();
    assert_eq!(parent(deleted.get_ref().name()), "buildings/b");

    let tidied = it.rooms.tidy_rooms(()).await.unwrap();
    assert_eq!(parent(tidied.get_ref().name()), "");

    let page = it.operations.list(FLOOR, &ListOptions::default()).await;
    assert_eq!(page.unwrap().operations.len(), 2);
}

#[tokio::test]
async fn a_parent_that_prepare_sets_goes_before() {
    let mut it = Fixture::start().await;
    let name = it.create("nowhere", None).await.unwrap();
    assert_eq!(parent(&name), "yards/one");
}

#[tokio::test]
async fn a_request_that_names_something_else_is_refused_with_its_field() {
    let mut it = Fixture::start().await;
    let check = |status: Status, field: &str, says: &str| {
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(says), "{status}");
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["field"], field);
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field);
    };
    let refused = it.create("buildings/b", Some("x")).await.unwrap_err();
    let says = "`buildings/b` does not begin with `buildings/*/floors/*`";
    check(refused, "parent", says);

    let refused = it.rooms.update_room(UpdateRoomRequest { room: None }).await;
    check(refused.unwrap_err(), "room.name", "is empty; give");

    let request = DeleteRoomRequest { name: None };
    let refused = it.rooms.delete_room(request).await.unwrap_err();
    let says = "is empty; give a name that begins with `buildings/*`";
    check(refused, "name", says);

    let page = it.operations.list("", &ListOptions::default()).await;
    assert!(page.unwrap().operations.is_empty());
}
