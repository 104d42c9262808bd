//! A mark on an rpc that is no operation.
//!
//! One error. Its words are rustc's: a trait with words of ours would be asked for in half a dozen
//! places, and each of them would be an error. We can choose the module's name, and the
//! condition on which the rpc would be in there.

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::{OperationContext, Operations, long_running};
use tonic::Status;

struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
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

    #[long_running]
    async fn get_table(
        &self,
        _request: GetTableRequest,
        _operation: OperationContext<ExportMetadata>,
    ) -> Result<Table, Status> {
        Ok(Table::default())
    }
}

fn main() {}
