//! An alias for a context of other metadata than the attribute says.

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::{OperationContext, Operations, long_running};
use tonic::{Request, Response, Status};

type Context = OperationContext<Table>;

struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: Context,
    ) -> Result<ExportResponse, Status> {
        operation.set_metadata(Table::default());
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
