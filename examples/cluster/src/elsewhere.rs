//! A node on another server: any server that speaks google.longrunning.

use lro_server::{HandlerError, OperationContext, Remote};
use tonic::Status;
use tonic::transport::Channel;

use crate::pb::clusters_client::ClustersClient;
use crate::pb::{CreateNodeRequest, DeleteNodeRequest, Node};

/// The clients of another server.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// Its service.
    pub clusters: ClustersClient<Channel>,
    /// Its operations, which a worker watches.
    pub server: Remote,
}

/// Creates a node on another server, and waits for it without a slot. When the body's saga undoes, it is cancelled, or
/// deleted.
///
/// # Errors
///
/// Those of the other server.
pub async fn node_elsewhere<M>(
    elsewhere: &Elsewhere,
    operation: &OperationContext<M>,
    request: &CreateNodeRequest,
) -> Result<Node, HandlerError> {
    let saga = operation.saga();
    saga.run(async {
        let start = async |request_id| {
            let request = CreateNodeRequest {
                request_id,
                ..request.clone()
            };
            elsewhere.clusters.clone().create_node(request).await
        };
        let delete = async |node: Option<Node>| -> Result<(), Status> {
            // One that was cancelled has left nothing.
            let Some(node) = node else { return Ok(()) };
            let request = DeleteNodeRequest { name: node.name };
            elsewhere.clusters.clone().delete_node(request).await?;
            Ok(())
        };
        Ok(saga.child("node", &elsewhere.server, start, delete).await?)
    })
    .await
}
