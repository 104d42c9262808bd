//! A caller cancels an operation, and its handler tidies up.
//!
//! Run: `cargo run -p basics --bin cancel`. It prints
//!
//! ```text
//! server: removing the half-written export
//! caller: cancelled
//! ```

use std::future::pending;

use basics::pb::exporter_client::ExporterClient;
use basics::pb::exporter_server;
use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::{Result, serve_and_call, tables};
use lro_client::{Cancellation, IntoPoller as _, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, long_running};
use tonic::Status;

struct Exporter {
    operations: Operations,
}

#[long_running]
impl exporter_server::Exporter for Exporter {
    // Without a grace period, the future is dropped at its next await.
    #[long_running(response = ExportResponse, metadata = ExportMetadata, cancel_grace = "10s")]
    async fn export(
        &self,
        _request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        tokio::select! {
            response = dump() => response,
            () = operation.cancelled() => {
                println!("server: removing the half-written export");
                Err(Status::cancelled("the export was cancelled"))
            }
        }
    }
}

/// A dump that never finishes.
async fn dump() -> Result<ExportResponse, Status> {
    pending().await
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
        match started.into_poller(&operations).cancel_and_wait().await? {
            Cancellation::Cancelled => println!("caller: cancelled"),
            Cancellation::Completed(_) => println!("caller: the export was faster"),
        }
        Ok(())
    })
    .await
}
