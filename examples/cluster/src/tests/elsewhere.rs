//! A cluster whose node is made by another server, over gRPC: one of the same service, on a store of its own.

use std::sync::Arc;

use lro_client::OperationsClient;
use lro_core::store::MemoryStore;
use lro_core::{Operation, OperationName, pb as longrunning};
use lro_server::serve::Server;
use lro_server::{HandlerError, OperationContext, Operations, Remote, Worker, long_running};
use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use crate::pb::clusters_client::ClustersClient;
use crate::pb::clusters_server::{Clusters, ClustersServer};
use crate::pb::{
    self, Cluster, CreateClusterMetadata, CreateClusterRequest, CreateNodeMetadata,
    CreateNodeRequest, DeleteNodeRequest, Node,
};
use crate::{Cloud, Elsewhere, Provisioner, node_elsewhere};

/// Clusters of one node, which another server makes.
struct Front {
    operations: Operations,
    elsewhere: Elsewhere,
}

#[long_running]
impl pb::clusters_server::Clusters for Front {
    #[long_running(response = Cluster, metadata = CreateClusterMetadata)]
    async fn create_cluster(
        &self,
        request: CreateClusterRequest,
        operation: OperationContext<CreateClusterMetadata>,
    ) -> Result<Cluster, HandlerError> {
        let node = CreateNodeRequest {
            cluster: request.name.clone(),
            zone: request.zones.concat(),
            ..Default::default()
        };
        let node = node_elsewhere(&self.elsewhere, &operation, &node).await?;
        Ok(Cluster {
            name: request.name,
            nodes: vec![node.name],
        })
    }

    async fn create_node(
        &self,
        _: Request<CreateNodeRequest>,
    ) -> Result<Response<Operation<Node, CreateNodeMetadata>>, Status> {
        Err(Status::unimplemented("the other server makes the nodes"))
    }

    async fn delete_node(&self, _: Request<DeleteNodeRequest>) -> Result<Response<()>, Status> {
        Err(Status::unimplemented("the other server has the nodes"))
    }
}

/// The provisioner on a port, as the other server.
async fn served() -> (Arc<Provisioner>, Elsewhere) {
    let operations = Operations::new(MemoryStore::new());
    let provisioner = Arc::new(Provisioner::new(&operations, Cloud::default()));
    let worker = Worker::builder(&operations)
        .host(provisioner.clone())
        .start();
    let worker = worker.await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder(&operations)
        .add_service(ClustersServer::from_arc(provisioner.clone()))
        .worker(worker);
    tokio::spawn(server.serve(listener, std::future::pending()));
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    let elsewhere = Elsewhere {
        clusters: ClustersClient::new(channel.clone()),
        server: Remote::new("nodes", OperationsClient::new(channel)),
    };
    (provisioner, elsewhere)
}

/// A front in this process.
async fn front(elsewhere: Elsewhere) -> (Arc<Front>, Worker) {
    let operations = Operations::new(MemoryStore::new());
    let front = Arc::new(Front {
        operations: operations.clone(),
        elsewhere,
    });
    let worker = Worker::builder(&operations)
        .host(front.clone())
        .remote(&front.elsewhere.server)
        .start();
    (front, worker.await.unwrap())
}

impl Front {
    async fn start(&self, name: &str) -> OperationName {
        let request = CreateClusterRequest {
            name: name.to_owned(),
            zones: vec!["eu".to_owned()],
        };
        let started = Clusters::create_cluster(self, Request::new(request)).await;
        started.unwrap().into_inner().name().parse().unwrap()
    }

    async fn end(&self, name: &OperationName) -> Operation<Cluster, CreateClusterMetadata> {
        loop {
            let waited: longrunning::Operation = self.operations.wait(name, None).await.unwrap();
            if waited.done {
                return waited.into();
            }
        }
    }
}

/// steps:C9 steps:U1
#[tokio::test]
async fn a_node_of_another_server_is_made_or_undone() {
    let (provisioner, elsewhere) = served().await;
    let (front, worker) = front(elsewhere).await;
    let made = front.end(&front.start("blue").await).await;
    let cluster = made.outcome().unwrap().response().unwrap();
    assert_eq!(cluster.nodes, ["blue/eu"]);
    assert_eq!(provisioner.cloud().resources(), ["blue/eu"]);

    let cancelled = front.start("red").await;
    front.operations.cancel(&cancelled).await.unwrap();
    let cancelled = front.end(&cancelled).await;
    assert_eq!(cancelled.error().unwrap().code, Code::Cancelled as i32);
    assert_eq!(provisioner.cloud().resources(), ["blue/eu"]);
    worker.drain().await;
}
