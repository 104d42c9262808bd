//! Publishes documents after an approval: an operation that waits for people, for days, and holds no slot and no
//! memory meanwhile.

mod desk;
#[cfg(test)]
mod tests;

use std::time::Duration;

use lro_core::OperationName;
use lro_server::steps::StepGuard;
use lro_server::{HandlerError, OperationContext, Operations, long_running};
use tonic::{Code, Request, Response, Status};

pub use desk::Desk;
use pb::{Approval, ApproveRequest, PublishMetadata, PublishRequest, Published};

/// The messages, server trait and client of `approval.v1`.
#[allow(missing_docs, reason = "generated code")]
pub mod pb {
    tonic::include_proto!("approval.v1");
}

/// The service.
#[derive(Debug)]
pub struct Publisher {
    operations: Operations,
    desk: Desk,
    patience: Duration,
}

impl Publisher {
    /// A publisher that waits for an approval three days before it asks the head of the department.
    pub fn new(operations: &Operations, desk: Desk) -> Self {
        Self {
            operations: operations.clone(),
            desk,
            patience: Duration::from_secs(3 * 24 * 60 * 60),
        }
    }

    /// The files that it reads and writes.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Asks for an approval, and waits for it. The names of its calls are in a scope, so that it may be called twice.
    async fn ask(
        &self,
        whom: &str,
        operation: OperationContext<PublishMetadata>,
    ) -> Result<Approval, HandlerError> {
        let mail = async || self.desk.mail(whom, operation.name()).await;
        match operation.step("ask", mail).at_most_once().await {
            // The machine died while it was sending: whether the mail is on its way is unknown. The patience with the
            // one who was asked covers both.
            Err(interrupted) if interrupted.code() == Code::Aborted => {}
            sent => sent?,
        }
        self.desk.note(format_args!("waiting for {whom}"));
        operation.set_metadata(PublishMetadata {
            waits_for: whom.to_owned(),
        });
        let approval = operation.promise("approved").timeout(self.patience);
        Ok(approval.await?)
    }
}

#[long_running]
impl pb::publisher_server::Publisher for Publisher {
    #[long_running(response = Published, metadata = PublishMetadata)]
    async fn publish(
        &self,
        request: PublishRequest,
        operation: OperationContext<PublishMetadata>,
    ) -> Result<Published, HandlerError> {
        let document = &request.document;
        let read = operation.step("ocr", async || self.desk.read(document).await);
        let text: String = read.timeout(Duration::from_secs(60)).await?;
        if operation.introduced("scan-2027").await? {
            // Added in 2027; operations that had passed this place by then continue without it.
            let text = text.clone();
            let scan = move |guard: &StepGuard| scan(&text, guard);
            operation.step_blocking("scan", scan).await?;
        }
        let approval = match self
            .ask("legal@example.com", operation.scope("legal"))
            .await
        {
            Err(late) if late.status().code() == Code::DeadlineExceeded => {
                self.ask("head@example.com", operation.scope("head"))
                    .await?
            }
            answer => answer?,
        };
        if !approval.approved {
            let message = format!("{} said no: {}", approval.by, approval.comment);
            return Err(Status::failed_precondition(message).into());
        }
        let file = operation.step("publish", async || self.desk.publish(document, &text).await);
        Ok(Published {
            file: file.await?,
            approved_by: approval.by,
        })
    }

    /// A plain rpc. The service decides which callers may answer: here, all.
    async fn approve(&self, request: Request<ApproveRequest>) -> Result<Response<()>, Status> {
        let ApproveRequest {
            operation,
            approval,
        } = request.into_inner();
        let name: OperationName = operation
            .parse()
            .map_err(|error| Status::invalid_argument(format!("{operation:?}: {error}")))?;
        let approval = approval.unwrap_or_default();
        // Legal may have been asked, or the head; the first answer counts.
        match self
            .operations
            .complete(&name, "legal/approved", &approval)
            .await
        {
            Err(late) if late.code() == Code::FailedPrecondition => {
                self.operations
                    .complete(&name, "head/approved", &approval)
                    .await?;
            }
            answer => answer?,
        }
        Ok(Response::new(()))
    }
}

/// Refuses documents that must stay inside. It computes for a while, so it blocks its thread.
fn scan(text: &str, guard: &StepGuard) -> Result<(), Status> {
    for line in text.lines() {
        if guard.is_stopped() {
            return Err(Status::cancelled("stopped"));
        }
        if line.contains("secret") {
            return Err(Status::failed_precondition("the document has a secret"));
        }
    }
    Ok(())
}
