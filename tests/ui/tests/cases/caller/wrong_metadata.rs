//! A caller who expects other metadata than the proto names.

use exporter::pb::exporter_client::ExporterClient;
use exporter::pb::{ExportRequest, ExportResponse, Table};
use lro_client::{IntoPoller, OperationsClient, Poller};
use tonic::transport::Channel;

async fn call(
    exporter: &mut ExporterClient<Channel>,
    operations: &OperationsClient,
) -> Result<(), Box<dyn std::error::Error>> {
    let started = exporter.export(ExportRequest::default()).await?;
    let poller: Poller<ExportResponse, Table> = started.into_poller(operations);
    poller.until_done().await?;
    Ok(())
}

fn main() {
    let _ = call;
}
