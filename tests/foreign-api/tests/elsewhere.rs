//! A body of another service waits for an operation of Google's API, which a server of its own serves over gRPC.

use std::sync::Arc;

use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use foreign_api::Redis;
use foreign_api::pb::cloud_redis_client::CloudRedisClient;
use foreign_api::pb::cloud_redis_server::CloudRedisServer;
use foreign_api::pb::{CreateInstanceRequest, GetInstanceRequest, Instance};
use lro_client::OperationsClient;
use lro_server::lro_core::store::MemoryStore;
use lro_server::lro_core::{OperationName, pb, unpack};
use lro_server::{OperationContext, Operations, Remote, Worker, long_running};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};

const PARENT: &str = "projects/p/locations/l";

/// Exports into a Redis that it creates for that: the first table is its name.
struct Parent {
    operations: Operations,
    redis: CloudRedisClient<Channel>,
    server: Remote,
}

#[long_running]
impl exporter::pb::exporter_server::Exporter for Parent {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let instance_id = &request.tables[0];
        // The API has no request ids.
        let create = async |_request_id| {
            let instance = Instance {
                memory_size_gb: 1,
                ..Default::default()
            };
            let request = CreateInstanceRequest {
                parent: PARENT.to_owned(),
                instance_id: instance_id.clone(),
                instance: Some(instance),
            };
            self.redis.clone().create_instance(request).await
        };
        let instance = operation.child("redis", &self.server, create).await?;
        Ok(ExportResponse {
            tables_exported: 1,
            rows: instance.port.unsigned_abs().into(),
        })
    }

    async fn get_table(&self, _: Request<GetTableRequest>) -> Result<Response<Table>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }
}

impl Parent {
    async fn start(&self, instance: &str) -> OperationName {
        let tables = vec![instance.to_owned()];
        let request = Request::new(ExportRequest { tables });
        let started = exporter::pb::exporter_server::Exporter::export(self, request).await;
        started.unwrap().into_inner().name().parse().unwrap()
    }

    async fn end(&self, name: &OperationName) -> pb::Operation {
        loop {
            let waited = self.operations.wait(name, None).await.unwrap();
            if waited.done {
                return waited;
            }
        }
    }
}

/// steps:C9
#[tokio::test]
async fn a_body_waits_for_an_operation_of_googles_api() {
    let operations = Operations::new(MemoryStore::new());
    let redis = Arc::new(Redis::new(operations.clone()));
    let worker = Worker::builder(&operations).host(redis.clone()).start();
    let worker = worker.await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Server::builder()
        .add_service(CloudRedisServer::from_arc(redis))
        .add_service(operations.service());
    let server = tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));

    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    let operations = Operations::new(MemoryStore::new());
    let parent = Arc::new(Parent {
        operations: operations.clone(),
        redis: CloudRedisClient::new(channel.clone()),
        server: Remote::new("google-redis", OperationsClient::new(channel))
            .dedup_window(std::time::Duration::ZERO),
    });
    let parents = Worker::builder(&operations)
        .host(parent.clone())
        .remote(&parent.server)
        .start();
    let parents = parents.await.unwrap();

    let created = parent.start("cache").await;
    let cancelled = parent.start("unwanted").await;
    // A creation continues whenever an instance is read.
    let get = |id: &str| GetInstanceRequest {
        name: format!("{PARENT}/instances/{id}"),
    };
    let mut redis = parent.redis.clone();
    let mut reads = async || {
        loop {
            let read = redis.get_instance(get("cache")).await;
            tokio::task::yield_now().await;
            if read.is_ok_and(|read| read.into_inner().port != 0) {
                return;
            }
        }
    };
    parent.operations.cancel(&cancelled).await.unwrap();
    let error = parent.end(&cancelled).await.result;
    let Some(pb::operation::Result::Error(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.code, Code::Cancelled as i32);
    reads().await;
    let response = parent.end(&created).await.result;
    let Some(pb::operation::Result::Response(response)) = response else {
        panic!("{response:?}");
    };
    assert_eq!(unpack::<ExportResponse>(&response).unwrap().rows, 6379);
    parents.drain().await;
    worker.drain().await;
    server.abort();
}
