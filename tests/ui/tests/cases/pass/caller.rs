//! A caller names the types that the proto names, or none.

use exporter::pb::exporter_client::ExporterClient;
use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse};
use lro_client::{IntoPoller, OperationsClient, Poller};
use tonic::transport::Channel;

async fn call(
    exporter: &mut ExporterClient<Channel>,
    operations: &OperationsClient,
) -> Result<u64, Box<dyn std::error::Error>> {
    let started = exporter.export(ExportRequest::default()).await?;
    let poller: Poller<ExportResponse, ExportMetadata> = started.into_poller(operations);
    let response: ExportResponse = poller.until_done().await?;

    let started = exporter.export(ExportRequest::default()).await?;
    let rows = started.into_poller(operations).until_done().await?.rows;
    Ok(response.rows + rows)
}

fn main() {
    let _ = call;
}
