//! Durations that no instant can be far enough away for.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse};
use exporter::pb::{GetTableRequest, Table, exporter_server};
use lro_core::store::{MemoryStore, OperationStore};
use lro_server::{HandlerError, Limits, OperationContext, Operations, Worker, long_running};
use tonic::{Request, Response, Status};

use crate::support;
use crate::support::Typed;
use crate::support::faulty::Node;

struct Patient {
    operations: Operations,
}

#[long_running]
impl exporter_server::Exporter for Patient {
    #[long_running(
        response = ExportResponse,
        metadata = ExportMetadata,
        timeout = "36500d",
        cancel_grace = "36500d",
        retain = "36500d"
    )]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, HandlerError> {
        operation.set_metadata(ExportMetadata::default());
        operation.checkpoint(&support::exported(1)).await?;
        let again = HandlerError::retry(Status::unavailable("later"));
        match (request.tables.is_empty(), operation.attempt()) {
            (true, 1) => Err(again.after(Duration::ZERO)),
            (true, _) => Ok(support::exported(1)),
            (false, _) => Err(again.after(Duration::MAX)),
        }
    }

    async fn get_table(&self, _: Request<GetTableRequest>) -> Result<Response<Table>, Status> {
        Ok(Response::new(Table::default()))
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_durations_everywhere_are_as_good_as_very_long_ones() {
    live_long(MemoryStore::new()).await;
}

/// A node that hears nothing, so that waits look again after a gap.
#[tokio::test(start_paused = true)]
async fn so_they_are_where_waits_look_again() {
    live_long(Node::new(&Arc::new(MemoryStore::new()))).await;
}

async fn live_long(store: impl OperationStore) {
    let limits = Limits::default().max_wait(Duration::MAX);
    let operations = Operations::builder(store).limits(limits).build();
    let patient = Arc::new(Patient {
        operations: operations.clone(),
    });
    let worker = Worker::builder(&operations)
        .host(patient.clone())
        .lease_duration(Duration::MAX)
        .metadata_interval(Duration::MAX)
        .drain_timeout(Duration::MAX)
        .start()
        .await
        .unwrap();
    let call = async |tables: &[&str]| -> Typed {
        let tables = tables.iter().copied().map(str::to_owned).collect();
        let request = Request::new(ExportRequest { tables });
        let started = exporter_server::Exporter::export(&*patient, request).await;
        started.unwrap().into_inner()
    };
    for timeout in [None, Some(Duration::MAX)] {
        let started = call(&[]).await;
        let name = support::name(&started);
        let done: Typed = operations.wait(&name, timeout).await.unwrap().into();
        let response = done.outcome().unwrap().response().unwrap();
        assert_eq!(response, support::exported(1));
    }
    // One that asks for another attempt after all time.
    let started = call(&["later"]).await;
    let briefly = Some(Duration::from_secs(60));
    let name = support::name(&started);
    assert!(!operations.wait(&name, briefly).await.unwrap().done);
    worker.drain().await;
    operations.cancel(&name).await.unwrap();
    assert!(operations.get(&name).await.unwrap().done);
}
