//! A caller who expects another response than the proto names.

use exporter::pb::exporter_client::ExporterClient;
use exporter::pb::{ExportRequest, Table};
use lro_client::{IntoPoller, OperationsClient};
use tonic::transport::Channel;

async fn call(
    exporter: &mut ExporterClient<Channel>,
    operations: &OperationsClient,
) -> Result<Table, Box<dyn std::error::Error>> {
    let started = exporter.export(ExportRequest::default()).await?;
    let table: Table = started.into_poller(operations).until_done().await?;
    Ok(table)
}

fn main() {
    let _ = call;
}
