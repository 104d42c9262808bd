//! The steps service of a server elsewhere.

use lro_core::OperationName;
use lro_core::inspection as wire;
use lro_core::inspection::steps_client::StepsClient;
use tonic::{Request, Status};

use super::super::{REASON, StepChange, Visitor, list_steps};
use super::{Elsewhere, Transport, with_reason};

impl Elsewhere {
    /// The first steps; `None` without the service.
    pub(super) async fn list_steps(
        &self,
        name: &OperationName,
    ) -> Result<Option<wire::ListStepsResponse>, Status> {
        let Some(mut steps) = self.remote.steps.clone() else {
            return Ok(None);
        };
        let listed = self.within(steps.list_steps(list_steps(name)));
        listed.await.map(Some)
    }

    pub(super) async fn change(&self, visitor: &Visitor, change: StepChange) -> Result<(), Status> {
        let mut steps = self.changing()?;
        match change {
            StepChange::Complete(complete) => {
                let request = reasoned(visitor, complete);
                self.within(steps.complete_promise(request)).await.map(drop)
            }
            StepChange::Forget(forget) => {
                let request = reasoned(visitor, forget);
                self.within(steps.forget_steps(request)).await.map(drop)
            }
            StepChange::Unblock(unblock) => {
                let request = reasoned(visitor, unblock);
                self.within(steps.unblock(request)).await.map(drop)
            }
        }
    }

    fn changing(&self) -> Result<StepsClient<Transport>, Status> {
        self.remote.steps.clone().ok_or_else(|| {
            Status::unimplemented("the server does not offer lro.v1.Steps, which changes this")
        })
    }
}

fn reasoned<T>(visitor: &Visitor, message: T) -> Request<T> {
    match visitor.metadata().get(REASON) {
        Some(reason) => with_reason(message, reason),
        None => Request::new(message),
    }
}
