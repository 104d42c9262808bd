// The exporter of design and README, on a free port, with SQLite in a temporary directory.
// Also included by the example of the crate's documentation.

use std::sync::Arc;

use exporter::pb::exporter_server::ExporterServer;
use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::tonic_types::{ErrorDetails, StatusExt as _};
use lro_server::{OperationContext, Operations, Worker, long_running};
use lro_sqlite::SqliteStore;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status};

pub(crate) struct Server {
    pub(crate) url: String,
    _worker: Worker,
    _directory: tempfile::TempDir,
}

struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let tables_total = request.tables.len() as u32;
        for (index, table) in request.tables.iter().enumerate() {
            operation.set_metadata(ExportMetadata {
                tables_done: index as u32 + 1,
                tables_total,
            });
            match table.as_str() {
                "missing" => return Err(no_table(table)),
                "endless" => std::future::pending().await,
                _ => {}
            }
        }
        Ok(ExportResponse {
            tables_exported: tables_total,
            rows: 0,
        })
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(Table { name, rows: 0 }))
    }
}

/// With details, which the caller reads in `WaitError::details`.
fn no_table(name: &str) -> Status {
    let details = ErrorDetails::with_resource_info("Table", name, "", "it was dropped");
    let message = format!("there is no table `{name}`");
    Status::with_error_details(Code::NotFound, message, details)
}

pub(crate) async fn start() -> Result<Server, Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::open(directory.path().join("operations.db")).await?;
    let operations = Operations::new(store);
    let exporter = Arc::new(Exporter {
        operations: operations.clone(),
    });
    let worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = tonic::transport::Server::builder()
        .add_service(ExporterServer::from_arc(exporter))
        .add_service(operations.service());
    tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(Server {
        url,
        _worker: worker,
        _directory: directory,
    })
}
