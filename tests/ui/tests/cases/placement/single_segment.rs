//! The trait without its module.

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::{OperationContext, Operations, Worker, long_running};
use tonic::{Request, Response, Status};

struct Exporter {
    operations: Operations,
}

use pb::exporter_server::Exporter as Service;

#[long_running]
impl Service for Exporter {
    #[long_running]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        operation.set_metadata(ExportMetadata::default());
        Ok(ExportResponse {
            tables_exported: request.tables.len() as u32,
            rows: 0,
        })
    }

    async fn get_table(
        &self,
        _request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        Ok(Response::new(Table::default()))
    }
}

fn main() {
    let _ = |operations: &Operations, exporter: std::sync::Arc<Exporter>| {
        Worker::builder(operations).host(exporter)
    };
}
