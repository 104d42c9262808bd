//! A service whose body each test brings along.

// The tests of `lro-tests` take this module, too.
#[path = "support/faulty.rs"]
pub(crate) mod faulty;
#[path = "support/log.rs"]
pub(crate) mod log;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_core::store::{MemoryStore, OperationStore};
use lro_core::{Operation, OperationName, Reason};
use lro_server::{
    HandlerError, OperationContext, Operations, StartOptions, Worker, WorkerBuilder, long_running,
};
use tonic::{Request, Response, Status};

pub(crate) type Context = OperationContext<ExportMetadata>;
pub(crate) type Metadata = ExportMetadata;
pub(crate) type Typed = Operation<ExportResponse, ExportMetadata>;
type Body = Pin<Box<dyn Future<Output = Result<ExportResponse, HandlerError>> + Send>>;

pub(crate) struct Exporter {
    operations: Operations,
    body: Box<dyn Fn(ExportRequest, Context) -> Body + Send + Sync>,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(
        response = ExportResponse,
        metadata = ExportMetadata,
        prepare = Self::prepare,
        timeout = "1h",
        max_attempts = 3,
        cancel_grace = "5s",
        retain = "1m",
        concurrency = 2
    )]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, HandlerError> {
        (self.body)(request, operation).await
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(Table { name, rows: 0 }))
    }
}

impl Exporter {
    pub(crate) fn new<F, Fut>(operations: &Operations, body: F) -> Arc<Self>
    where
        F: Fn(ExportRequest, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ExportResponse, HandlerError>> + Send + 'static,
    {
        Arc::new(Self {
            operations: operations.clone(),
            body: Box::new(move |request, operation| Box::pin(body(request, operation))),
        })
    }

    /// Tables with telling names set the options; an export of nothing is refused.
    async fn prepare(
        &self,
        request: &Request<ExportRequest>,
    ) -> Result<StartOptions<ExportMetadata>, Status> {
        let tables = &request.get_ref().tables;
        if tables.is_empty() {
            let message = "is empty; name at least one table";
            return Err(Reason::InvalidField.field_status("tables", message));
        }
        let mut options = StartOptions::new().metadata(ExportMetadata {
            tables_done: 0,
            tables_total: tables.len() as u32,
        });
        for table in tables {
            options = match table.split_once('=') {
                Some(("request_id", id)) => options.request_id(id),
                Some(("exclusive_key", key)) => options.exclusive_key(key),
                Some(("operation_id", id)) => options.operation_id(id),
                Some(("response", tables)) => options.response(&exported(tables.len() as u32)),
                Some(("principal", name)) => options.principal(name),
                Some(("parent", parent)) => {
                    options.parent(parent.parse().map_err(|error: lro_core::InvalidName| {
                        Reason::InvalidField.field_status("parent", error.to_string())
                    })?)
                }
                Some((key, value)) => options.label(key, value),
                None => options,
            };
        }
        Ok(options)
    }

    /// The rpc.
    pub(crate) async fn call(&self, tables: &[&str]) -> Result<Typed, Status> {
        let tables = tables.iter().copied().map(str::to_owned).collect();
        let request = Request::new(ExportRequest { tables });
        let response = pb::exporter_server::Exporter::export(self, request).await?;
        Ok(response.into_inner())
    }
}

/// Operations in memory, a service with this body, a worker that hosts it.
pub(crate) async fn start<F, Fut>(body: F) -> (Operations, Arc<Exporter>, Worker)
where
    F: Fn(ExportRequest, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ExportResponse, HandlerError>> + Send + 'static,
{
    start_on(MemoryStore::new(), |builder| builder, body).await
}

pub(crate) async fn start_on<F, Fut>(
    store: impl OperationStore,
    settings: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    body: F,
) -> (Operations, Arc<Exporter>, Worker)
where
    F: Fn(ExportRequest, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ExportResponse, HandlerError>> + Send + 'static,
{
    let operations = Operations::new(store);
    let exporter = Exporter::new(&operations, body);
    let builder = Worker::builder(&operations).host(exporter.clone());
    let worker = settings(builder).start().await.unwrap();
    (operations, exporter, worker)
}

pub(crate) fn name(operation: &Typed) -> OperationName {
    operation.name().parse().unwrap()
}

pub(crate) async fn wait(operations: &Operations, operation: &Typed) -> Typed {
    let waited = operations.wait(&name(operation), None).await.unwrap();
    assert!(waited.done, "{waited:?}");
    waited.into()
}

/// Waits until the metadata is as wanted. The store tells of every change, so nothing is polled.
pub(crate) async fn wait_for_tables_done(operations: &Operations, operation: &Typed, wanted: u32) {
    loop {
        let seen: Typed = operations.get(&name(operation)).await.unwrap().into();
        if seen.metadata().unwrap().unwrap().tables_done == wanted {
            return;
        }
        let briefly = Some(Duration::from_millis(50));
        operations.wait(&name(operation), briefly).await.unwrap();
    }
}

pub(crate) fn exported(tables_exported: u32) -> ExportResponse {
    ExportResponse {
        tables_exported,
        rows: 0,
    }
}
