//! A marked method whose name is no rpc of the service.
//!
//! Three errors at the name or about it, of which rustc prints two for every misspelt method of a
//! trait. All suggest the right name. An attribute cannot know the names beforehand: only a macro
//! that is exported at the crate's root could tell them to it, also from another crate, and a crate
//! that includes a generated file twice would then no longer compile.

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::{OperationContext, Operations, long_running};
use tonic::{Request, Response, Status};

struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running]
    async fn exprot(
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
