//! A caller lists operations with a filter.
//!
//! Run: `cargo run -p basics --bin list_and_filter`. It prints
//!
//! ```text
//! 3 operations
//! 2 with label team = "red"
//! 1 that failed
//! ```

use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::pb::{exporter_client::ExporterClient, exporter_server};
use basics::{Result, serve_and_call, tables};
use lro_client::{IntoPoller as _, ListOptions, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, StartOptions, long_running};
use tonic::{Request, Status};

struct Exporter {
    operations: Operations,
}

impl Exporter {
    /// Runs before the operation exists: validates, and sets labels that filters find.
    async fn prepare(
        &self,
        request: &Request<ExportRequest>,
    ) -> Result<StartOptions<ExportMetadata>, Status> {
        Ok(StartOptions::new().label("team", &request.get_ref().tables[0]))
    }
}

#[long_running]
impl exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata, prepare = Self::prepare)]
    async fn export(
        &self,
        request: ExportRequest,
        _operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        if request.tables[0] == "blue" {
            return Err(Status::not_found("no table `blue`"));
        }
        Ok(ExportResponse::default())
    }
}

#[tokio::main]
async fn main() -> Result {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter {
        operations: operations.clone(),
    };
    serve_and_call(operations, exporter, async |channel| {
        let operations = OperationsClient::new(channel.clone());
        let mut exporter = ExporterClient::new(channel);
        for table in ["red", "blue", "red"] {
            let started = exporter.export(tables([table])).await?.into_inner();
            // The one of `blue` fails, which is no reason to stop here.
            let _ = started.into_poller(&operations).until_done().await;
        }
        println!("{} operations", count(&operations, "").await?);
        let red = count(&operations, r#"labels.team = "red""#).await?;
        println!("{red} with label team = \"red\"");
        let failed = count(&operations, "done = true AND error:*").await?;
        println!("{failed} that failed");
        Ok(())
    })
    .await
}

async fn count(operations: &OperationsClient, filter: &str) -> Result<usize> {
    let options = ListOptions::new().filter(filter);
    let mut pages = operations.list_all("operations", options);
    let mut count = 0;
    while let Some(operation) = pages.next().await {
        operation?;
        count += 1;
    }
    Ok(count)
}
