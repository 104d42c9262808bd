//! The attribute on the impl only.

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::lro_core::Operation;
use lro_server::{Operations, long_running};
use tonic::{Request, Response, Status};

struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    async fn export(
        &self,
        _request: Request<ExportRequest>,
    ) -> Result<Response<Operation<ExportResponse, ExportMetadata>>, Status> {
        let _ = &self.operations;
        Err(Status::unimplemented("not yet"))
    }

    async fn get_table(
        &self,
        _request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        Ok(Response::new(Table::default()))
    }
}

fn main() {}
