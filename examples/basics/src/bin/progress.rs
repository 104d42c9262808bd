//! A handler reports its progress, and a caller watches it.
//!
//! Run: `cargo run -p basics --bin progress`. It prints
//!
//! ```text
//! 0 of 3
//! 1 of 3
//! 2 of 3
//! exported 3 tables
//! ```

use std::time::Duration;

use basics::pb::exporter_client::ExporterClient;
use basics::pb::exporter_server;
use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::{Result, serve_and_call, tables};
use lro_client::{IntoPoller as _, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, long_running};
use tonic::Status;

struct Exporter {
    operations: Operations,
}

#[long_running]
impl exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let tables_total = request.tables.len() as u32;
        for tables_done in 0..tables_total {
            // The newest metadata wins: an update replaces one that is not yet written.
            operation.set_metadata(ExportMetadata {
                tables_done,
                tables_total,
            });
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(ExportResponse {
            tables_exported: tables_total,
        })
    }
}

#[tokio::main]
async fn main() -> Result {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter {
        operations: operations.clone(),
    };
    serve_and_call(operations, exporter, async |channel| {
        let operations = OperationsClient::new(channel.clone());
        let mut exporter = ExporterClient::new(channel);
        let started = exporter.export(tables(["a", "b", "c"])).await?.into_inner();
        let response = started
            .into_poller(&operations)
            .until_done_with(|progress| {
                println!("{} of {}", progress.tables_done, progress.tables_total);
            })
            .await?;
        println!("exported {} tables", response.tables_exported);
        Ok(())
    })
    .await
}
