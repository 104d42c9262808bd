//! The tests that docs/guide/testing.md shows: a body alone, and a service without a port.

use std::sync::Arc;

use crate::pb::ExportMetadata;
use crate::pb::exporter_client::ExporterClient;
use crate::pb::exporter_server::ExporterServer;
use crate::{Result, TableExporter, tables};
use lro_client::{IntoPoller as _, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, Worker};

#[tokio::test]
async fn a_body_runs_alone() -> Result {
    let exporter = TableExporter::new(Operations::new(MemoryStore::new()));
    let operation = OperationContext::<ExportMetadata>::detached();
    let response = exporter.export(tables(["a"]), operation.clone()).await?;
    assert_eq!(response.tables_exported, 1);
    let progress = operation.metadata()?.expect("the body reports progress");
    assert_eq!(progress.tables_total, 1);
    Ok(())
}

#[tokio::test]
async fn a_service_needs_no_port() -> Result {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Arc::new(TableExporter::new(operations.clone()));
    let worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await?;
    let mut client = ExporterClient::new(ExporterServer::from_arc(exporter));
    let started = client.export(tables(["a", "b"])).await?.into_inner();
    let poller = started.into_poller(&OperationsClient::new(operations.service()));
    let response = poller.until_done().await?;
    assert_eq!(response.tables_exported, 2);
    worker.drain().await;
    Ok(())
}
