//! A front end and a worker in processes of their own, on one PostgreSQL.
//!
//! Run: `cargo run -p basics --bin workers -- postgresql://user@localhost/database`. It prints
//!
//! ```text
//! front end: started, done = false
//! worker: exporting a
//! front end: exported 1 tables
//! ```

use std::process::{Command, Stdio};
use std::sync::Arc;

use basics::pb::exporter_client::ExporterClient;
use basics::pb::exporter_server::{self, ExporterServer};
use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::{Result, tables};
use lro_client::{IntoPoller as _, OperationsClient};
use lro_postgres::PostgresStore;
use lro_server::{OperationContext, Operations, Worker, long_running};
use tokio::io::{AsyncReadExt as _, stdin};
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
        _operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        println!("worker: exporting {}", request.tables.join(", "));
        let tables_exported = request.tables.len() as u32;
        Ok(ExportResponse { tables_exported })
    }
}

#[tokio::main]
async fn main() -> Result {
    let mut arguments = std::env::args().skip(1);
    let database = arguments.next().ok_or("give the URL of a database")?;
    let store = PostgresStore::builder(&database)
        .schema("workers")
        .open()
        .await?;
    let operations = Operations::new(store);
    let exporter = Exporter {
        operations: operations.clone(),
    };
    match arguments.next().as_deref() {
        Some("work") => work(&operations, exporter).await,
        _ => front_end(operations, exporter, &database).await,
    }
}

/// A worker without a server: runs bodies until its standard input is closed.
async fn work(operations: &Operations, exporter: Exporter) -> Result {
    let worker = Worker::builder(operations)
        .host(Arc::new(exporter))
        .start()
        .await?;
    let mut nothing = Vec::new();
    stdin().read_to_end(&mut nothing).await?;
    worker.drain().await;
    Ok(())
}

/// Operations without a worker: answers rpcs, here without a port.
async fn front_end(operations: Operations, exporter: Exporter, database: &str) -> Result {
    let mut client = ExporterClient::new(ExporterServer::new(exporter));
    let started = client.export(tables(["a"])).await?.into_inner();
    println!("front end: started, done = {}", started.done());

    let mut worker = Command::new(std::env::current_exe()?);
    worker.args([database, "work"]).stdin(Stdio::piped());
    let mut worker = worker.spawn()?;
    let poller = started.into_poller(&OperationsClient::new(operations.service()));
    let response = poller.until_done().await?;
    drop(worker.stdin.take());
    tokio::task::spawn_blocking(move || worker.wait()).await??;
    println!("front end: exported {} tables", response.tables_exported);
    Ok(())
}
