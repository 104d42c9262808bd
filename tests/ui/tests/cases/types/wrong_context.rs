//! A context that is none.

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::{Operations, long_running};
use tonic::{Request, Response, Status};

struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: String,
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
