//! Over a server on a port: the service calls another of the same process.

use std::sync::Arc;

use exporter::pb::ExportRequest;
use exporter::pb::exporter_server::ExporterServer;
use lro_core::inspection as pb;
use lro_core::inspection::inspection_client::InspectionClient;
use lro_core::store::MemoryStore;
use lro_server::serve::Server;
use lro_server::{Operations, ServiceSettings, Worker};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::access::fixture::{As, Policies, SERVICE};
use crate::inspection::service;
use crate::serve::served::{Direct, Served, origin};
use crate::support::{Exporter, exported};

struct Fixture {
    operations: Operations,
    served: Served,
    inspection: InspectionClient<Direct>,
    worker: Worker,
    connection: Direct,
}

impl Fixture {
    /// A server whose callers have what is below their names.
    async fn new() -> Self {
        let users = ServiceSettings::new(SERVICE).parent("users/*".parse().unwrap());
        let builder = Operations::builder(MemoryStore::new()).bind(users);
        let operations = builder.authorizer(Policies::tenants()).build();
        let exporter = Exporter::new(&operations, async |request: ExportRequest, _| {
            if request.tables.iter().any(|table| table == "slow") {
                std::future::pending::<()>().await;
            }
            Ok(exported(request.tables.len() as u32))
        });
        let worker = Worker::builder(&operations).host(exporter.clone());
        let worker = worker.start().await.unwrap();
        let server = Server::builder(&operations)
            .add_service(ExporterServer::from_arc(Arc::clone(&exporter)))
            .add_service(operations.inspection());
        let served = Served::start(server).await;
        let connection = served.connect().await;
        Self {
            operations,
            served,
            inspection: InspectionClient::with_origin(connection.clone(), origin()),
            worker,
            connection,
        }
    }

    async fn start(&self, user: &str, tables: &[&str]) -> String {
        let parent = format!("parent=users/{user}");
        let tables = tables.iter().copied().chain([&*parent]);
        let tables = tables.map(str::to_owned).collect();
        let request = As(user).request(ExportRequest { tables });
        let started = self.connection.exporter().export(request).await.unwrap();
        started.into_inner().name().to_owned()
    }

    async fn ended(&self, name: &str) -> lro_core::pb::Operation {
        let name = name.parse().unwrap();
        let ended = self.operations.wait(&name, None).await.unwrap();
        assert!(ended.done);
        ended
    }

    async fn resubmit(
        &self,
        user: &str,
        request: pb::ResubmitOperationRequest,
    ) -> Result<lro_core::pb::Operation, Status> {
        let mut inspection = self.inspection.clone();
        let answer = inspection.resubmit_operation(As(user).request(request));
        Ok(answer.await?.into_inner().operation.unwrap())
    }

    async fn record(&self, user: &str, name: &str) -> pb::OperationRecord {
        let request = pb::DescribeOperationRequest {
            name: name.to_owned(),
            unredacted: false,
        };
        let mut inspection = self.inspection.clone();
        let answer = inspection.describe_operation(As(user).request(request));
        answer.await.unwrap().into_inner()
    }

    async fn stop(self) {
        drop((self.inspection, self.connection));
        self.served.stop().await;
        self.worker.drain().await;
    }
}

fn of(name: &str) -> pb::ResubmitOperationRequest {
    pb::ResubmitOperationRequest {
        name: name.to_owned(),
        ..Default::default()
    }
}

fn reason(error: &Status) -> String {
    error.get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn an_ended_operation_is_started_again_as_the_caller() {
    let fixture = Fixture::new().await;
    // The stored request id would lead back to the first operation.
    let tables = ["request_id=r1", "exclusive_key=k", "env=prod"];
    let first = fixture.start("ada", &tables).await;
    let outcome = fixture.ended(&first).await.result;
    let second = fixture.resubmit("ada", of(&first)).await.unwrap().name;
    assert_ne!(first, second);
    assert_eq!(fixture.ended(&second).await.result, outcome);
    let record = fixture.record("ada", &second).await;
    let id = first.rsplit_once('/').unwrap().1;
    assert_eq!(record.labels["resubmitted-from"], id);
    assert_eq!(record.labels["env"], "prod", "as prepare says");
    assert_eq!(record.principal, "ada");
    let again = fixture.resubmit("ada", of(&second)).await.unwrap().name;
    assert_ne!(again, second);
    fixture.stop().await;
}

#[tokio::test]
async fn a_repeated_resubmission_starts_once() {
    let fixture = Fixture::new().await;
    let first = fixture.start("ada", &["a"]).await;
    fixture.ended(&first).await;
    let request = pb::ResubmitOperationRequest {
        request_id: "5b1c".into(),
        ..of(&first)
    };
    let second = fixture.resubmit("ada", request.clone()).await.unwrap();
    let third = fixture.resubmit("ada", request).await.unwrap();
    assert_eq!(second.name, third.name);
    fixture.stop().await;
}

#[tokio::test]
async fn an_edited_request_takes_the_place_of_the_stored_one() {
    let fixture = Fixture::new().await;
    let first = fixture.start("ada", &["a"]).await;
    fixture.ended(&first).await;
    let tables = ["parent=users/ada", "x", "y", "z"].map(str::to_owned);
    let edited = pb::ResubmitOperationRequest {
        request: Some(lro_core::pack(&ExportRequest {
            tables: tables.to_vec(),
        })),
        ..of(&first)
    };
    let second = fixture.resubmit("ada", edited.clone()).await.unwrap();
    let ended = fixture.ended(&second.name).await;
    let ended: crate::support::Typed = ended.into();
    let response = ended.outcome().unwrap().response();
    assert_eq!(response, Some(exported(4)));
    // A parent of another's, which the rpc refuses.
    let tables = vec!["parent=users/bob".to_owned()];
    let stolen = pb::ResubmitOperationRequest {
        request: Some(lro_core::pack(&ExportRequest { tables })),
        ..of(&first)
    };
    let error = fixture.resubmit("ada", stolen).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let other_type = pb::ResubmitOperationRequest {
        request: Some(lro_core::pack(&())),
        ..of(&first)
    };
    let error = fixture.resubmit("ada", other_type).await.unwrap_err();
    let violations = error.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "request");
    fixture.stop().await;
}

#[tokio::test]
async fn what_cannot_be_resubmitted_says_why() {
    let fixture = Fixture::new().await;
    let running = fixture.start("ada", &["slow"]).await;
    let error = fixture.resubmit("ada", of(&running)).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert_eq!(reason(&error), "OPERATION_NOT_DONE");
    let error = fixture.resubmit("bob", of(&running)).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let name = running.parse().unwrap();
    fixture.operations.cancel(&name).await.unwrap();
    fixture.ended(&running).await;
    let operations = fixture.operations.clone();
    fixture.stop().await;
    // The process serves nothing any more, as one that only runs workers.
    use lro_core::inspection::inspection_server::Inspection as _;
    let request = As("ada").request(of(&running));
    let inspection = service(&operations);
    let error = inspection.resubmit_operation(request).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert_eq!(reason(&error), "METHOD_NOT_SERVED");
}

#[tokio::test]
async fn the_methods_of_a_server_are_served_and_hosted() {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let worker = Worker::builder(&operations).host(exporter.clone());
    let worker = worker.start().await.unwrap();
    let server = Server::builder(&operations)
        .add_service(ExporterServer::from_arc(exporter))
        .file_descriptor_set(exporter::pb::FILE_DESCRIPTOR_SET)
        .add_service(operations.inspection());
    let served = Served::start(server).await;
    let connection = served.connect().await;
    let mut inspection = InspectionClient::with_origin(connection, origin());
    let methods = inspection.list_methods(pb::ListMethodsRequest {});
    let [method] = &*methods.await.unwrap().into_inner().methods else {
        panic!("one method");
    };
    assert!(method.served && method.hosted);
    assert_eq!(method.method, "/exporter.v1.Exporter/Export");
    assert_eq!(method.request_type, "exporter.v1.ExportRequest");
    assert_eq!(method.response_type, "exporter.v1.ExportResponse");
    assert_eq!(method.metadata_type, "exporter.v1.ExportMetadata");
    drop(inspection);
    served.stop().await;
    worker.drain().await;
}
