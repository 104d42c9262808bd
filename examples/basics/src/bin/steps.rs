//! A handler of durable steps: a later run of it does not repeat what is recorded.
//!
//! Run: `cargo run -p basics --bin steps`. It prints
//!
//! ```text
//! run 1
//! dump users
//! dump orders
//! run 2
//! upload: attempt 1
//! upload: attempt 2
//! 2 tables
//! ```

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use basics::pb::exporter_client::ExporterClient;
use basics::pb::exporter_server;
use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::{Result, serve_and_call, tables};
use lro_client::{IntoPoller as _, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::steps::Retry;
use lro_server::{HandlerError, OperationContext, Operations, long_running};
use tonic::Status;

struct Exporter {
    operations: Operations,
    uploads: AtomicU32,
}

impl Exporter {
    async fn dump(&self, table: &str) -> Result<(), Status> {
        println!("dump {table}");
        Ok(())
    }

    async fn upload(&self) -> Result<(), HandlerError> {
        let attempt = self.uploads.fetch_add(1, Ordering::SeqCst) + 1;
        println!("upload: attempt {attempt}");
        match attempt {
            1 => Err(HandlerError::retry(Status::unavailable(
                "the bucket is busy",
            ))),
            _ => Ok(()),
        }
    }
}

#[long_running]
impl exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, HandlerError> {
        println!("run {}", operation.fence());
        for table in &request.tables {
            let dump = async || self.dump(table).await;
            operation.step(format!("dump/{table}"), dump).await?; // durable when it returns
        }
        // The operation is suspended: until then it holds no slot, no lease and no memory.
        let settle = Duration::from_millis(1_500);
        operation.sleep("settle", settle).await?;
        let retry = Retry::times(5).pause(Duration::from_millis(10), Duration::from_secs(60));
        let upload = operation.step("upload", async || self.upload().await);
        upload.retry(retry).timeout(Duration::from_secs(30)).await?;
        Ok(ExportResponse {
            tables_exported: request.tables.len() as u32,
        })
    }
}

#[tokio::main]
async fn main() -> Result {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter {
        operations: operations.clone(),
        uploads: AtomicU32::new(0),
    };
    serve_and_call(operations, exporter, async |channel| {
        let operations = OperationsClient::new(channel.clone());
        let mut exporter = ExporterClient::new(channel);
        let request = tables(["users", "orders"]);
        let started = exporter.export(request).await?.into_inner();
        let response = started.into_poller(&operations).until_done().await?;
        println!("{} tables", response.tables_exported);
        Ok(())
    })
    .await
}
