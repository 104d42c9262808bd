//! Another process waits for an operation, with nothing but a token.
//!
//! Run: `cargo run -p basics --bin resume`. It prints
//!
//! ```text
//! first process: started an export and stops waiting
//! second process: exported 2 tables
//! ```

use std::process::Command;
use std::time::Duration;

use basics::pb::exporter_client::ExporterClient;
use basics::pb::exporter_server;
use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::{Result, serve_and_call_at, tables};
use lro_client::{IntoPoller as _, OperationsClient, ResumeToken};
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, long_running};
use tonic::Status;
use tonic::transport::Channel;

struct Exporter {
    operations: Operations,
}

#[long_running]
impl exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        _operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let tables_exported = request.tables.len() as u32;
        Ok(ExportResponse { tables_exported })
    }
}

#[tokio::main]
async fn main() -> Result {
    let mut arguments = std::env::args().skip(1);
    if let (Some(url), Some(token)) = (arguments.next(), arguments.next()) {
        return second_process(url, &token).await;
    }
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter {
        operations: operations.clone(),
    };
    serve_and_call_at(operations, exporter, async |channel, url| {
        let operations = OperationsClient::new(channel.clone());
        let mut exporter = ExporterClient::new(channel);
        let started = exporter.export(tables(["a", "b"])).await?.into_inner();
        // The token is a line of text: keep it in a file, a database or a queue.
        let token = started.into_poller(&operations).resume_token().to_string();
        println!("first process: started an export and stops waiting");
        let mut second = Command::new(std::env::current_exe()?);
        let second = second.args([&url, &token]);
        let mut second = second.spawn()?;
        tokio::task::spawn_blocking(move || second.wait()).await??;
        Ok(())
    })
    .await
}

async fn second_process(url: String, token: &str) -> Result {
    let operations = OperationsClient::new(Channel::from_shared(url)?.connect().await?);
    let token: ResumeToken = token.parse()?;
    let poller = token.resume::<ExportResponse, ExportMetadata>(&operations)?;
    let response = poller.until_done().await?;
    println!(
        "second process: exported {} tables",
        response.tables_exported
    );
    Ok(())
}
