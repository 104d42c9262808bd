//! The parts that the examples in `src/bin` share: the code generated from the quick start's proto,
//! and [`serve_and_call`], a server and its caller in one process.

use std::error::Error;
use std::sync::Arc;

use lro_server::registration::Host;
use lro_server::serve::Server;
use lro_server::{OperationContext, Operations, Worker, long_running};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::Channel;

use pb::exporter_server::{self, Exporter, ExporterServer};
use pb::{ExportMetadata, ExportRequest, ExportResponse};

/// The messages, server trait and client of `exporter.v1`.
#[allow(missing_docs, reason = "the quick start's proto has no comments")]
pub mod pb {
    tonic::include_proto!("exporter.v1");
}

#[cfg(test)]
mod tests;

/// The result of a program, and of the callers in it.
pub type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// Serves `exporter` with a worker while `caller` runs, and shuts down.
///
/// # Errors
///
/// When the server cannot start, or the caller fails.
pub async fn serve_and_call<E>(
    operations: Operations,
    exporter: E,
    caller: impl AsyncFnOnce(Channel) -> Result,
) -> Result
where
    E: Exporter + Host<ExporterServer<E>>,
{
    serve_and_call_at(operations, exporter, async |channel, _| {
        caller(channel).await
    })
    .await
}

/// As [`serve_and_call`], for a caller that also needs the server's URL.
///
/// # Errors
///
/// As [`serve_and_call`].
pub async fn serve_and_call_at<E>(
    operations: Operations,
    exporter: E,
    caller: impl AsyncFnOnce(Channel, String) -> Result,
) -> Result
where
    E: Exporter + Host<ExporterServer<E>>,
{
    let exporter = Arc::new(exporter);
    let worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut result = Ok(());
    Server::builder(&operations)
        .add_service(ExporterServer::from_arc(exporter))
        .worker(worker)
        .serve(listener, async {
            result = call(url, caller).await;
        })
        .await?;
    result
}

async fn call(url: String, caller: impl AsyncFnOnce(Channel, String) -> Result) -> Result {
    caller(Channel::from_shared(url.clone())?.connect().await?, url).await
}

/// A request for these tables.
pub fn tables<const N: usize>(names: [&str; N]) -> pb::ExportRequest {
    pb::ExportRequest {
        tables: names.map(str::to_owned).into(),
    }
}

/// A service that exports each table at once, for examples that are not about handlers.
#[derive(Debug)]
pub struct TableExporter {
    operations: Operations,
}

impl TableExporter {
    /// The service on these operations.
    pub fn new(operations: Operations) -> Self {
        Self { operations }
    }

    /// Its operations.
    pub fn operations(&self) -> Operations {
        self.operations.clone()
    }
}

#[long_running]
impl exporter_server::Exporter for TableExporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let tables_total = request.tables.len() as u32;
        operation.set_metadata(ExportMetadata {
            tables_done: tables_total,
            tables_total,
        });
        Ok(ExportResponse {
            tables_exported: tables_total,
        })
    }
}
