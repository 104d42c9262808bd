//! A context that does not say its metadata.

use exporter::pb::{self, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::{OperationContext, Operations, long_running};
use tonic::{Request, Response, Status};

struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext,
    ) -> Result<ExportResponse, Status> {
        drop((request, operation));
        Ok(ExportResponse::default())
    }

    async fn get_table(
        &self,
        _request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        Ok(Response::new(Table::default()))
    }
}

fn main() {}
