//! A handler saves checkpoints, and its next attempt resumes from the last one.
//!
//! Run: `cargo run -p basics --bin checkpoint`. It prints
//!
//! ```text
//! attempt 1: table 0
//! attempt 1: table 1
//! attempt 2: table 2
//! attempt 2: table 3
//! ```

use std::time::Duration;

use basics::pb::exporter_client::ExporterClient;
use basics::pb::exporter_server;
use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::{Result, serve_and_call, tables};
use lro_client::{IntoPoller as _, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::{HandlerError, OperationContext, Operations, long_running};
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
    ) -> Result<ExportResponse, HandlerError> {
        let tables_total = request.tables.len() as u32;
        // Any message can be a checkpoint. After a crash, too, the body starts here.
        let saved: Option<ExportMetadata> = operation.restore()?;
        let first = saved.map_or(0, |saved| saved.tables_done);
        for table in first..tables_total {
            let attempt = operation.attempt();
            if attempt == 1 && table == 2 {
                let lost = Status::unavailable("the connection to the database was lost");
                return Err(HandlerError::retry(lost).after(Duration::from_millis(10)));
            }
            println!("attempt {attempt}: table {table}");
            let checkpoint = ExportMetadata {
                tables_done: table + 1,
                tables_total,
            };
            operation.checkpoint(&checkpoint).await?; // durable when it returns
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
        let request = tables(["a", "b", "c", "d"]);
        let started = exporter.export(request).await?.into_inner();
        started.into_poller(&operations).until_done().await?;
        Ok(())
    })
    .await
}
