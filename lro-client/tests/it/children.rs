//! Children on a server that is not ours: a body of ours waits for operations of grpcio, in Python.
//!
//! That server knows no request ids. Without WaitOperation it is polled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_client::{Operation, OperationsClient};
use lro_core::pb;
use lro_core::store::MemoryStore;
use lro_server::{OperationContext, Operations, Remote, Worker, long_running};
use prost_types::Timestamp;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::support::python::Python;

/// Bodies that wait for an operation of the other server, whose behaviour is the name of their first table.
struct Parent {
    operations: Operations,
    python: Remote,
    started: AtomicUsize,
}

#[long_running]
impl exporter::pb::exporter_server::Exporter for Parent {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let behaviour = &request.tables[0];
        let start = async |_request_id| {
            let number = self.started.fetch_add(1, Ordering::Relaxed);
            let started = pb::Operation {
                name: format!("operations/{behaviour}-{number}"),
                ..Default::default()
            };
            Ok::<_, Status>(Response::new(Operation::<Timestamp, ()>::from(started)))
        };
        let ended = operation.child("python", &self.python, start).await?;
        Ok(ExportResponse {
            tables_exported: 1,
            rows: ended.seconds.unsigned_abs(),
        })
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(Table { name, rows: 0 }))
    }
}

/// A worker of parents whose children are at this address.
async fn parents(url: &str) -> (Arc<Parent>, Worker) {
    let channel = Channel::from_shared(url.to_owned()).unwrap().connect_lazy();
    let python = Remote::new("python", OperationsClient::new(channel));
    let operations = Operations::new(MemoryStore::new());
    let parent = Arc::new(Parent {
        operations: operations.clone(),
        python: python.dedup_window(std::time::Duration::ZERO),
        started: AtomicUsize::new(0),
    });
    let worker = Worker::builder(&operations)
        .host(parent.clone())
        .remote(&parent.python)
        .start();
    (parent, worker.await.unwrap())
}

impl Parent {
    async fn start(&self, behaviour: &str) -> lro_core::OperationName {
        let tables = vec![behaviour.to_owned()];
        let request = Request::new(ExportRequest { tables });
        let started = exporter::pb::exporter_server::Exporter::export(self, request).await;
        started.unwrap().into_inner().name().parse().unwrap()
    }

    async fn end(&self, name: &lro_core::OperationName) -> Result<u64, lro_core::pb::rpc::Status> {
        loop {
            let waited = self.operations.wait(name, None).await.unwrap();
            match waited.result {
                Some(pb::operation::Result::Response(response)) => {
                    let response: ExportResponse = lro_core::unpack(&response).unwrap();
                    return Ok(response.rows);
                }
                Some(pb::operation::Result::Error(error)) => return Err(error),
                None => {}
            }
        }
    }
}

/// steps:C9 steps:C10
#[tokio::test]
async fn a_parent_waits_for_operations_of_a_server_in_python() {
    let Some(python) = Python::start() else {
        return;
    };
    tokio::join!(
        waits_for_all(&python.waiting),
        waits_for_all(&python.polling)
    );
}

async fn waits_for_all(url: &str) {
    let (parent, worker) = parents(url).await;
    let behaviours = ["plain", "host", "nameless", "late", "burst", "busy", "cut"];
    let mut good = Vec::new();
    for behaviour in behaviours {
        good.push((behaviour, parent.start(behaviour).await));
    }
    let failed = parent.start("failed").await;
    let other = parent.start("other").await;
    let absent = parent.start("absent").await;
    let cancelled = parent.start("cancellable").await;
    let stubborn = parent.start("stubborn").await;
    for (behaviour, name) in &good {
        assert_eq!(parent.end(name).await, Ok(42), "{behaviour}");
    }
    let error = parent.end(&failed).await.unwrap_err();
    assert_eq!(error.code, Code::ResourceExhausted as i32);
    assert_eq!(
        (error.message.as_str(), error.details.len()),
        ("no\nroom", 2)
    );
    let error = parent.end(&other).await.unwrap_err();
    assert_eq!(error.code, Code::Internal as i32, "{error:?}");
    let error = parent.end(&absent).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound as i32, "{error:?}");

    for name in [&cancelled, &stubborn] {
        parent.operations.cancel(name).await.unwrap();
        let error = parent.end(name).await.unwrap_err();
        assert_eq!(error.code, Code::Cancelled as i32);
    }
    assert_eq!(parent.started.load(Ordering::Relaxed), behaviours.len() + 5);
    worker.drain().await;
}
