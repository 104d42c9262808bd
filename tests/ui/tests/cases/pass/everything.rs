//! All arguments, an absorbed `async_trait`, generics, patterns, attributes, a renamed context.

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use server::{OperationContext as Context, Operations, StartOptions};
use tonic::{Request, Response, Status};

extern crate lro_server as server;

struct Exporter<T> {
    inner: Inner<T>,
}

#[allow(dead_code)]
struct Inner<T> {
    operations: Operations,
    database: T,
}

struct Failed(String);

impl From<Failed> for Status {
    fn from(failed: Failed) -> Self {
        Self::internal(failed.0)
    }
}

impl<T: Send + Sync + 'static> Exporter<T>
where
    T: Clone,
{
    async fn prepare_export(
        &self,
        request: &Request<ExportRequest>,
    ) -> Result<StartOptions<ExportMetadata>, Status> {
        if request.get_ref().tables.is_empty() {
            return Err(Status::invalid_argument("no tables"));
        }
        Ok(StartOptions::default())
    }

    async fn call_the_body(&self) -> Result<ExportResponse, String> {
        self.export(ExportRequest::default(), Context::detached())
            .await
            .map_err(|failed| failed.0)
    }
}

/// The service.
#[server::long_running(operations = self.inner.operations, crate = server)]
#[tonic::async_trait]
#[allow(dead_code)]
impl<T: Send + Sync + 'static> pb::exporter_server::Exporter for Exporter<T>
where
    T: Clone,
{
    /// Dumps the tables.
    #[server::long_running(
        response = pb::ExportResponse,
        metadata = ExportMetadata,
        prepare = Self::prepare_export,
        timeout = "1h30m",
        max_attempts = 5,
        on_crash = abort,
        cancel_grace = "250ms",
        retain = "30d",
        concurrency = 8,
        standard_fields = false,
    )]
    #[cfg(not(any()))]
    #[expect(unused_mut)]
    async fn export(
        &self,
        ExportRequest { tables, .. }: ExportRequest,
        mut operation: Context<ExportMetadata>,
    ) -> Result<ExportResponse, Failed> {
        operation.set_metadata(ExportMetadata::default());
        if tables.is_empty() {
            return Err(Failed("no tables".to_owned()));
        }
        Ok(ExportResponse::default())
    }

    async fn get_table(
        &self,
        _request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        Ok(Response::new(Table::default()))
    }
}

fn main() {
    fn assert_service<T: pb::exporter_server::Exporter>() {}
    assert_service::<Exporter<String>>();
    let _ = Exporter::<String>::call_the_body;
}
