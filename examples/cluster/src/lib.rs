//! Provisions clusters: a network, and a node in each zone, each of them made by an operation of its own. If something
//! fails, or the operation is cancelled, what was made is deleted again.

mod cloud;
mod elsewhere;
#[cfg(test)]
mod tests;

use std::time::Duration;

use lro_server::{HandlerError, OperationContext, Operations, long_running};
use tonic::{Request, Response, Status};

pub use cloud::Cloud;
pub use elsewhere::{Elsewhere, node_elsewhere};
use pb::clusters_server::Clusters;
use pb::{
    Cluster, CreateClusterMetadata, CreateClusterRequest, CreateNodeMetadata, CreateNodeRequest,
    DeleteNodeRequest, Node,
};

/// The messages, server trait and client of `cluster.v1`.
#[allow(missing_docs, reason = "generated code")]
pub mod pb {
    tonic::include_proto!("cluster.v1");
}

/// The service.
#[derive(Debug)]
pub struct Provisioner {
    operations: Operations,
    cloud: Cloud,
}

impl Provisioner {
    /// A provisioner of this cloud.
    pub fn new(operations: &Operations, cloud: Cloud) -> Self {
        Self {
            operations: operations.clone(),
            cloud,
        }
    }

    /// The cloud in which it makes clusters.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }
}

#[long_running]
impl pb::clusters_server::Clusters for Provisioner {
    #[long_running(response = Cluster, metadata = CreateClusterMetadata, lifetime = "6h")]
    async fn create_cluster(
        &self,
        request: CreateClusterRequest,
        operation: OperationContext<CreateClusterMetadata>,
    ) -> Result<Cluster, HandlerError> {
        let (cluster, zones) = (&request.name, &request.zones);
        let network = &format!("{}/network", request.name);
        let saga = operation.saga();
        saga.run(async {
            let create = async || self.cloud.create(network).await;
            let delete = async |_| self.cloud.delete(network).await;
            saga.step("network", create, delete).await?;

            let nodes = zones.iter().map(|zone| {
                let create = async move |request_id| {
                    let (cluster, zone) = (cluster.clone(), zone.clone());
                    let request = CreateNodeRequest {
                        cluster,
                        zone,
                        request_id,
                    };
                    // The rpc of this very server, called in process.
                    Clusters::create_node(self, Request::new(request)).await
                };
                let delete = move |_: Option<Node>| async move {
                    self.cloud.delete(&format!("{cluster}/{zone}")).await
                };
                saga.child(format!("node/{zone}"), &self.operations, create, delete)
            });
            // No slot is held while they are made.
            let nodes = operation.all(8, nodes).await?;

            operation.set_metadata(CreateClusterMetadata {
                stage: "settling".to_owned(),
            });
            operation.sleep("settle", Duration::from_secs(2)).await?;
            if !operation
                .step("health", async || self.cloud.is_healthy(cluster).await)
                .await?
            {
                // Deletes the nodes and the network, the newest first.
                return Err(Status::failed_precondition("the cluster is not healthy").into());
            }
            let nodes = nodes.into_iter().map(|node| node.name).collect();
            Ok(Cluster {
                name: cluster.clone(),
                nodes,
            })
        })
        .await
    }

    #[long_running(response = Node, metadata = CreateNodeMetadata, concurrency = 4, cancel_grace = "10s")]
    async fn create_node(
        &self,
        request: CreateNodeRequest,
        operation: OperationContext<CreateNodeMetadata>,
    ) -> Result<Node, HandlerError> {
        let name = format!("{}/{}", request.cluster, request.zone);
        tokio::select! {
            made = self.cloud.create(&name) => made?,
            () = operation.cancelled() => {
                self.cloud.delete(&name).await?;
                return Err(Status::cancelled("deleted again").into());
            }
        };
        Ok(Node { name })
    }

    async fn delete_node(
        &self,
        request: Request<DeleteNodeRequest>,
    ) -> Result<Response<()>, Status> {
        self.cloud.delete(&request.into_inner().name).await?;
        Ok(Response::new(()))
    }
}
