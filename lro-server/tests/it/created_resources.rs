//! An API whose operations make resources, as its callers see it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use exporter::pb::{exporter_client, exporter_server};
use lro_core::pb as lro;
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, StartOptions, Worker, long_running};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::sync::Semaphore;
use tonic::server::NamedService;
use tonic::{Code, Request, Response, Status};

use crate::support::exported;

/// Exported tables: the number of rows, or `None` while a table is not usable.
struct Tables {
    operations: Operations,
    rows: Mutex<BTreeMap<String, Option<u64>>>,
    /// Lets a body end.
    released: Semaphore,
}

#[long_running]
impl exporter_server::Exporter for Tables {
    #[long_running(response = ExportResponse, metadata = ExportMetadata, prepare = Self::prepare)]
    async fn export(
        &self,
        request: ExportRequest,
        _operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        self.released.acquire().await.unwrap().forget();
        let mut rows = self.rows.lock().unwrap();
        let table = request.tables.into_iter().next().unwrap();
        rows.insert(table, Some(7));
        Ok(exported(1))
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let name = request.into_inner().name;
        let rows = self.rows.lock().unwrap().get(&name).copied();
        match rows {
            Some(Some(rows)) => Ok(Response::new(Table { name, rows })),
            Some(None) => Err(Status::failed_precondition("it is being made")),
            None => Err(Status::not_found("there is no such table")),
        }
    }
}

impl Tables {
    async fn prepare(
        &self,
        request: &Request<ExportRequest>,
    ) -> Result<StartOptions<ExportMetadata>, Status> {
        let table = request.get_ref().tables[0].clone();
        self.rows.lock().unwrap().entry(table).or_default();
        Ok(StartOptions::new())
    }
}

async fn start() -> (Operations, Arc<Tables>, Worker) {
    let operations = Operations::new(MemoryStore::new());
    let tables = Arc::new(Tables {
        operations: operations.clone(),
        rows: Mutex::default(),
        released: Semaphore::new(0),
    });
    let worker = Worker::builder(&operations).host(tables.clone());
    let worker = worker.start().await.unwrap();
    (operations, tables, worker)
}

async fn rows(tables: &Arc<Tables>, name: &str) -> Result<u64, Code> {
    let server = exporter_server::ExporterServer::from_arc(tables.clone());
    let mut client = exporter_client::ExporterClient::new(server);
    let name = name.to_owned();
    let table = client.get_table(GetTableRequest { name }).await;
    table.map(|it| it.into_inner().rows).map_err(|it| it.code())
}

/// spec:35 spec:36
#[tokio::test(start_paused = true)]
async fn a_resource_is_seen_while_it_is_made_and_steady_when_that_is_done() {
    let (operations, tables, _worker) = start().await;
    for table in ["a", "b", "c"] {
        assert_eq!(rows(&tables, table).await, Err(Code::NotFound));
        let request = Request::new(ExportRequest {
            tables: vec![table.to_owned()],
        });
        let started = exporter_server::Exporter::export(&*tables, request).await;
        let name = started.unwrap().into_inner().name().parse().unwrap();
        let unusable = Err(Code::FailedPrecondition);
        assert_eq!(rows(&tables, table).await, unusable);
        assert!(!operations.get(&name).await.unwrap().done);
        assert_eq!(rows(&tables, table).await, unusable);
        tables.released.add_permits(1);
        assert!(operations.wait(&name, None).await.unwrap().done);
        for _ in 0..3 {
            assert_eq!(rows(&tables, table).await, Ok(7));
        }
    }
}

/// spec:4
#[tokio::test(start_paused = true)]
async fn operations_are_googles_and_so_is_their_service() {
    let set = FileDescriptorSet::decode(pb::FILE_DESCRIPTOR_SET).unwrap();
    let (mut starting, mut others) = (0, 0);
    for file in &set.file {
        let is_googles = file.package() == "google.longrunning";
        let messages = file
            .message_type
            .iter()
            .map(prost_types::DescriptorProto::name);
        assert_eq!(
            messages.filter(|name| *name == "Operation").count(),
            usize::from(is_googles)
        );
        for service in &file.service {
            assert_eq!(service.name() == "Operations", is_googles);
            for method in service.method.iter().filter(|_| !is_googles) {
                match method.output_type().ends_with(".Operation") {
                    true => {
                        assert_eq!(method.output_type(), ".google.longrunning.Operation");
                        starting += 1;
                    }
                    false => others += 1,
                }
            }
        }
    }
    assert_eq!((starting, others), (1, 1), "Export and GetTable");

    let (operations, tables, _worker) = start().await;
    assert_eq!(
        name_of(&operations.service()),
        "google.longrunning.Operations"
    );
    let request = Request::new(ExportRequest {
        tables: vec!["a".to_owned()],
    });
    let started = exporter_server::Exporter::export(&*tables, request).await;
    let started = started.unwrap().into_inner();
    let mut client = lro::operations_client::OperationsClient::new(operations.service());
    let name = started.name().to_owned();
    let got = client
        .get_operation(lro::GetOperationRequest { name })
        .await;
    assert_eq!(got.unwrap().into_inner().name, started.name());
}

fn name_of<S: NamedService>(_: &S) -> &'static str {
    S::NAME
}
