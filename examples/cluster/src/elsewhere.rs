//! An operation of another server as a part of a saga: any server that speaks google.longrunning.

use std::time::Duration;

use lro_client::OperationsClient;
use lro_core::{Operation, Outcome};
use lro_server::steps::Retry;
use lro_server::{HandlerError, OperationContext};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::pb::clusters_client::ClustersClient;
use crate::pb::{CreateNodeMetadata, CreateNodeRequest, Node};

/// The clients of another server.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// Its service.
    pub clusters: ClustersClient<Channel>,
    /// Its operations.
    pub operations: OperationsClient,
}

impl Elsewhere {
    /// Starts a node there, and returns the name of its operation. The same id starts it once (AIP-155).
    async fn start(&self, request: CreateNodeRequest) -> Result<String, HandlerError> {
        let started = self.clusters.clone().create_node(request).await;
        let started = started.map_err(may_pass)?.into_inner();
        Ok(started.name().to_owned())
    }

    /// The node; a retryable error while it is being created.
    async fn node(&self, operation: &str) -> Result<Node, HandlerError> {
        let operation = self.operations.get(operation).await.map_err(may_pass)?;
        let operation = Operation::<Node, CreateNodeMetadata>::from(operation);
        let unreadable = |_| Status::internal("the other server has sent another response");
        match operation.outcome().map_err(unreadable)? {
            Outcome::Response(node) => Ok(node),
            Outcome::Error(error) => {
                Err(Status::new(Code::from_i32(error.code), error.message).into())
            }
            Outcome::Running => Err(HandlerError::retry(Status::unavailable("it runs"))),
            Outcome::Missing => Err(Status::internal("the other server has sent no result").into()),
        }
    }
}

/// Creates a node at another server, and waits for it without a slot. When the body's saga undoes, it is cancelled.
///
/// # Errors
///
/// Those of the other server.
pub async fn node_elsewhere(
    elsewhere: &Elsewhere,
    operation: &OperationContext<()>,
    request: &CreateNodeRequest,
) -> Result<Node, HandlerError> {
    let request = &CreateNodeRequest {
        request_id: operation.uuid("node").to_string(),
        ..request.clone()
    };
    let saga = operation.saga();
    saga.run(async {
        let start = async || elsewhere.start(request.clone()).await;
        let cancel = async |name: Option<String>| {
            let name = match name {
                Some(name) => name,
                // Whether it was started is unknown: the same request id tells its name.
                None => match elsewhere.start(request.clone()).await {
                    Err(refused) if !refused.is_retryable() => return Ok(()),
                    started => started?,
                },
            };
            elsewhere.operations.cancel(&name).await.map_err(may_pass)?;
            match elsewhere.node(&name).await {
                // It is tried again until the operation has ended.
                Err(running) if running.is_retryable() => Err(running),
                _ => Ok(()),
            }
        };
        let name = saga.step("start", start, cancel).await?;
        // One row, whose pauses hold no slot.
        let poll = Retry::times(u32::MAX).pause(Duration::from_secs(2), Duration::from_secs(60));
        let node = operation.step("node", async || elsewhere.node(&name).await);
        Ok(node.retry(poll).await?)
    })
    .await
}

/// An error of a call that may succeed later.
fn may_pass(error: Status) -> HandlerError {
    match error.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => {
            HandlerError::retry(error)
        }
        _ => error.into(),
    }
}
