//! An impl without a trait.

use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse};
use lro_server::{OperationContext, Operations, long_running};
use tonic::Status;

struct Exporter {
    operations: Operations,
}

#[long_running]
impl Exporter {
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
}

fn main() {}
