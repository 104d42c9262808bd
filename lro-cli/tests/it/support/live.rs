//! Our own server, with the exporter, reflection and SQLite, or with TLS.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::exporter_server::ExporterServer;
use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_core::store::{MemoryStore, OperationStore};
use lro_postgres::PostgresStore;
use lro_server::registration::Host;
use lro_server::serve::{Server, Tls};
use lro_server::tonic_types::{ErrorDetails, StatusExt as _};
use lro_server::{OperationContext, Operations, Worker, long_running};
use lro_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::{Code, Request, Response, Status};

/// A server that ends when it is dropped.
pub(crate) struct Live {
    pub(crate) port: u16,
    _stop: oneshot::Sender<()>,
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
                tables_done: index as u32,
                tables_total,
            });
            match table.as_str() {
                "missing" => return Err(no_table(table)),
                "endless" => std::future::pending().await,
                "approval" => approval(&operation).await?,
                _ => {}
            }
        }
        operation.set_metadata(ExportMetadata {
            tables_done: tables_total,
            tables_total,
        });
        Ok(ExportResponse {
            tables_exported: tables_total,
            rows: 81_234,
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

/// A service that declares the value for which its operations wait.
struct Declaring {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Declaring {
    #[long_running(response = ExportResponse, metadata = ExportMetadata, promise("table" = Table))]
    async fn export(
        &self,
        _request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let table = operation.promise::<Table>("table").await?;
        Ok(ExportResponse {
            tables_exported: 1,
            rows: table.rows,
        })
    }

    async fn get_table(&self, _: Request<GetTableRequest>) -> Result<Response<Table>, Status> {
        Err(Status::unimplemented("it has no tables"))
    }
}

/// Two steps, and a promise that the operation waits for.
pub(crate) async fn approval(operation: &OperationContext<ExportMetadata>) -> Result<(), Status> {
    let dump = async || Ok::<u32, Status>(7);
    operation.step("dump/users", dump).await?;
    let refuse = async || Err::<(), _>(Status::not_found("there is no table `orders`"));
    operation.step("dump/orders", refuse).await.unwrap_err();
    match operation.promise::<bool>("approved").await? {
        true => Ok(()),
        false => Err(Status::permission_denied("legal said no")),
    }
}

fn no_table(name: &str) -> Status {
    let details = ErrorDetails::with_resource_info("Table", name, "", "it was dropped");
    let message = format!("there is no table `{name}`");
    Status::with_error_details(Code::NotFound, message, details)
}

impl Live {
    pub(crate) async fn start(tls: Option<Tls>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("operations.db");
        let store = SqliteStore::open(file).await.unwrap();
        Self::on(store, directory, tls, false).await
    }

    /// With the inspection service, on each kind of store that this machine has.
    pub(crate) async fn inspected() -> Vec<Self> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("operations.db");
        let sqlite = SqliteStore::open(file).await.unwrap();
        let mut all = vec![
            Self::on(sqlite, directory, None, true).await,
            Self::on(MemoryStore::new(), tempfile::tempdir().unwrap(), None, true).await,
        ];
        if let Some(cluster) = test_programs::postgres::shared_or_skip() {
            let schema = format!("cli_{}", uuid::Uuid::new_v4().simple());
            let builder = PostgresStore::builder(cluster.url()).schema(schema);
            let postgres = builder.open().await.unwrap();
            all.push(Self::on(postgres, tempfile::tempdir().unwrap(), None, true).await);
        }
        all
    }

    /// With the inspection service, and operations that wait for a value whose type is declared.
    pub(crate) async fn declaring() -> Self {
        let operations = Operations::new(MemoryStore::new());
        let service = Arc::new(Declaring {
            operations: operations.clone(),
        });
        Self::serve(
            operations,
            service,
            tempfile::tempdir().unwrap(),
            None,
            true,
        )
        .await
    }

    async fn on(
        store: impl OperationStore,
        directory: tempfile::TempDir,
        tls: Option<Tls>,
        inspected: bool,
    ) -> Self {
        let operations = Operations::new(store);
        let exporter = Arc::new(Exporter {
            operations: operations.clone(),
        });
        Self::serve(operations, exporter, directory, tls, inspected).await
    }

    async fn serve<S, E: pb::exporter_server::Exporter + Host<S>>(
        operations: Operations,
        exporter: Arc<E>,
        directory: tempfile::TempDir,
        tls: Option<Tls>,
        inspected: bool,
    ) -> Self {
        let worker = Worker::builder(&operations)
            .host(exporter.clone())
            .suspend_after(Duration::ZERO)
            .start()
            .await
            .unwrap();
        let mut server = Server::builder(&operations)
            .add_service(ExporterServer::from_arc(exporter))
            .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            .worker(worker);
        if inspected {
            server = server.add_service(operations.inspection());
            server = server.add_service(operations.steps_server());
        }
        if let Some(tls) = tls {
            server = server.tls(tls);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(server.serve(listener, async {
            stopped.await.unwrap_or(());
        }));
        Self {
            port,
            _stop: stop,
            _directory: directory,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
