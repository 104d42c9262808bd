//! A handler asks for another attempt, until the policy allows no more.
//!
//! Run: `cargo run -p basics --bin retry`. It prints
//!
//! ```text
//! attempt 1
//! attempt 2
//! attempt 3
//! Unavailable: the database is busy
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
    #[long_running(response = ExportResponse, metadata = ExportMetadata, max_attempts = 3)]
    async fn export(
        &self,
        _request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, HandlerError> {
        println!("attempt {}", operation.attempt());
        // A plain `Status` is final. Without `after`, the pause doubles from 1 s to 60 s.
        let busy = Status::unavailable("the database is busy");
        Err(HandlerError::retry(busy).after(Duration::from_millis(10)))
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
        let started = exporter.export(tables(["a"])).await?.into_inner();
        let error = started.into_poller(&operations).until_done().await;
        let error = error.expect_err("the export fails");
        let message = error.status().map_or("no status", |status| &status.message);
        println!("{:?}: {message}", error.code());
        Ok(())
    })
    .await
}
