//! Expansions of `#[long_running]` for services of every shape, from call to end, without a network.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod filters;
mod parents;
mod plain;
mod service;
mod shapes;
mod standard_fields;

use std::sync::Arc;
use std::time::Duration;

use lro_client::OperationsClient;
use lro_core::store::MemoryStore;
use lro_core::{Operation, pb};
use lro_server::{Operations, Worker};
use lro_tests::library::FILE_DESCRIPTOR_SET;
use lro_tests::library::library_client::LibraryClient;
use lro_tests::library::library_server::LibraryServer;
use lro_tests::library::loans_client::LoansClient;
use lro_tests::library::loans_server::LoansServer;

use crate::service::{Desk, Service};

/// A service on two rpc services, its worker, and clients of all.
struct Fixture {
    desk: Arc<Desk>,
    operations: OperationsClient,
    library: LibraryClient<LibraryServer<Service<Desk>>>,
    loans: LoansClient<LoansServer<Service<Desk>>>,
    _worker: Worker,
}

impl Fixture {
    async fn start() -> Self {
        let operations = Operations::builder(MemoryStore::new());
        let operations = operations.file_descriptor_set(FILE_DESCRIPTOR_SET).unwrap();
        let operations = operations.build();
        let desk = Arc::new(Desk::default());
        let service = Arc::new(Service::new(operations.clone(), desk.clone()));
        let worker = Worker::builder(&operations)
            .host::<LibraryServer<Service<Desk>>, _>(service.clone())
            .host::<LoansServer<Service<Desk>>, _>(service.clone());
        Self {
            desk,
            operations: OperationsClient::new(operations.service()),
            library: LibraryClient::new(LibraryServer::from_arc(service.clone())),
            loans: LoansClient::new(LoansServer::from_arc(service)),
            _worker: worker.start().await.unwrap(),
        }
    }

    async fn get<R, M>(&self, operation: &Operation<R, M>) -> Operation<R, M> {
        self.operations.get(operation.name()).await.unwrap().into()
    }

    async fn end<R, M>(&self, operation: &Operation<R, M>) -> Operation<R, M> {
        end(&self.operations, operation).await
    }
}

async fn end<R, M>(operations: &OperationsClient, operation: &Operation<R, M>) -> Operation<R, M> {
    loop {
        let patience = Duration::from_secs(60);
        let now: pb::Operation = operations.wait(operation.name(), patience).await.unwrap();
        if now.done {
            return now.into();
        }
    }
}
