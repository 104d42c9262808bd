//! A `prepare` with other metadata.

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::{OperationContext, Operations, StartOptions, long_running};
use tonic::{Request, Response, Status};

struct Exporter {
    operations: Operations,
}

impl Exporter {
    async fn prepare(
        &self,
        _request: &Request<ExportRequest>,
    ) -> Result<StartOptions<Table>, Status> {
        Ok(StartOptions::new())
    }
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(prepare = Self::prepare)]
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

fn main() {}
