//! A handler fails with details, and a caller reads them.
//!
//! Run: `cargo run -p basics --bin error_details`. It prints
//!
//! ```text
//! FailedPrecondition: table `a` is locked
//! reason TABLE_LOCKED, domain exporter.example.com
//! help: https://exporter.example.com/locks
//! ```

use std::collections::HashMap;

use basics::pb::exporter_client::ExporterClient;
use basics::pb::exporter_server;
use basics::pb::{ExportMetadata, ExportRequest, ExportResponse};
use basics::{Result, serve_and_call, tables};
use lro_client::{IntoPoller as _, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, long_running};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

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
        let message = format!("table `{}` is locked", request.tables[0]);
        let mut details = ErrorDetails::new();
        details.set_error_info("TABLE_LOCKED", "exporter.example.com", HashMap::new());
        details.add_help_link("locks", "https://exporter.example.com/locks");
        Err(Status::with_error_details(
            Code::FailedPrecondition,
            message,
            details,
        ))
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
        let started = exporter.export(tables(["a"])).await?.into_inner();
        let error = started.into_poller(&operations).until_done().await;
        let error = error.expect_err("the export fails");
        let message = error.status().map_or("no status", |status| &status.message);
        println!("{:?}: {message}", error.code());
        let details = error.details();
        if let Some(info) = details.error_info() {
            println!("reason {}, domain {}", info.reason, info.domain);
        }
        for link in details.help().into_iter().flat_map(|help| &help.links) {
            println!("help: {}", link.url);
        }
        Ok(())
    })
    .await
}
