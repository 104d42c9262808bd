//! A caller who expects other metadata than the proto names.

use exporter::pb::exporter_client::ExporterClient;
use exporter::pb::{ExportRequest, ExportResponse, Table};
use lro_client::{IntoPoller, OperationsClient, Poller};
use tonic::transport::Channel;

async fn call(
    exporter: &mut ExporterClient<Channel>,
    operations: &OperationsClient,
) -> Result<Poller<ExportResponse, Table>, tonic::Status> {
    let started = exporter.export(ExportRequest::default()).await?;
    Ok(started.into_poller(operations))
}

fn main() {
    let _ = call;
}
