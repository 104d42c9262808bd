//! The quick start of the README: proto, service and caller in one program.
//!
//! Run: `cargo run -p quickstart`. It creates `operations.db` in the current folder and prints
//!
//! ```text
//! started: done = false
//! 0 of 2
//! 1 of 2
//! exported 2 tables
//! ```

#![allow(unreachable_pub, missing_docs, reason = "generated code in a program")]

use std::sync::Arc;
use std::time::Duration;

use lro_client::{IntoPoller as _, OperationsClient};
use lro_console::Console;
use lro_server::serve::Server;
use lro_server::{OperationContext, Operations, Worker, long_running};
use lro_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tonic::{Status, transport::Channel};

use pb::{ExportMetadata, ExportRequest, ExportResponse};
use pb::{exporter_client::ExporterClient, exporter_server::ExporterServer};

mod pb {
    tonic::include_proto!("exporter.v1");
}

struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let tables_total = request.tables.len() as u32;
        for tables_done in 0..tables_total {
            operation.set_metadata(ExportMetadata {
                tables_done,
                tables_total,
            });
            tokio::time::sleep(Duration::from_secs(1)).await; // the real work
        }
        Ok(ExportResponse {
            tables_exported: tables_total,
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let operations = Operations::new(SqliteStore::open("operations.db").await?);
    let exporter = Arc::new(Exporter {
        operations: operations.clone(),
    });
    let worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await?;

    if std::env::args().nth(1).as_deref() == Some("look") {
        let listener = TcpListener::bind("127.0.0.1:8080").await?;
        let console = Console::of_server(&operations)?;
        return Ok(console.serve(listener, std::future::pending()).await?);
    }

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let caller = tokio::spawn(async { call(url).await.expect("the call succeeds") });

    Server::builder(&operations) // google.longrunning.Operations, health, reflection
        .add_service(ExporterServer::from_arc(exporter))
        .worker(worker)
        .serve(listener, async { caller.await.expect("the caller ends") }) // a real server waits for a signal
        .await?;
    Ok(())
}

async fn call(url: String) -> Result<(), Box<dyn std::error::Error>> {
    let channel = Channel::from_shared(url)?.connect().await?;
    let operations = OperationsClient::new(channel.clone());

    let request = ExportRequest {
        tables: vec!["users".into(), "orders".into()],
    };
    let operation = ExporterClient::new(channel)
        .export(request)
        .await?
        .into_inner();
    println!("started: done = {}", operation.done());

    let response = operation
        .into_poller(&operations)
        .until_done_with(|progress| {
            println!("{} of {}", progress.tables_done, progress.tables_total);
        })
        .await?;
    println!("exported {} tables", response.tables_exported);
    Ok(())
}
