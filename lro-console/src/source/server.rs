//! The operations of the server in this process.

use async_trait::async_trait;
use lro_core::inspection as wire;
use lro_core::inspection::inspection_server::Inspection as _;
use lro_core::inspection::steps_server::Steps as _;
use lro_core::store::OperationRecord;
use lro_core::{ListOptions, OperationName, OperationsRpc, ParentPattern, Timestamp};
use lro_server::Operations;
use lro_server::changes::{ChangeSubscription, Changed, Changes};
use lro_server::inspection::{InspectionService, StepsService};
use lro_server::records::Records;
use tonic::{Code, Request, Response, Status};

use super::{
    Abilities, Act, Action, Followed, Page, Permits, Signal, Signals, Source, StepChange, View,
    Visitor, list_steps,
};

/// The inspection service of the server, its records and its changes, behind its authorizer.
///
/// A visitor without the permission to inspect sees what the standard methods tell.
#[derive(Debug)]
pub(crate) struct InProcess {
    inspection: InspectionService,
    steps: StepsService,
    records: Records,
    changes: Changes,
}

impl InProcess {
    pub(crate) fn new(operations: &Operations) -> Self {
        Self {
            inspection: operations.clone().into(),
            steps: operations.clone().into(),
            records: operations.records(),
            changes: operations.changes(),
        }
    }
}

#[async_trait]
impl Source for InProcess {
    fn abilities(&self) -> Abilities {
        Abilities {
            has_inspection: true,
            interval: None,
        }
    }

    async fn principal(&self, visitor: &Visitor) -> Result<String, Status> {
        let principal = self.records.principal(visitor).await?;
        Ok(principal.name().to_owned())
    }

    async fn list(
        &self,
        visitor: &Visitor,
        parent: ParentPattern,
        options: &ListOptions,
    ) -> Result<Page, Status> {
        let request = wire::ListOperationsRequest {
            parent: parent.as_str().to_owned(),
            filter: options.filter.clone(),
            page_size: options.page_size,
            page_token: options.page_token.clone(),
            view: wire::RecordView::Full.into(),
        };
        let listed = self.inspection.list_operations(call(visitor, request));
        match listed.await.map(Response::into_inner) {
            Ok(list) => Ok(Page {
                views: list.operations.into_iter().map(View::of).collect(),
                next_page_token: list.next_page_token,
            }),
            Err(status) if is_withheld(&status) => {
                let page = self.records.list(visitor, parent, options).await?;
                let operations = page.records.iter().map(OperationRecord::to_operation);
                Ok(Page {
                    views: operations.map(View::standard).collect(),
                    next_page_token: page.next_page_token,
                })
            }
            Err(status) => Err(status),
        }
    }

    async fn get(&self, visitor: &Visitor, name: &OperationName) -> Result<View, Status> {
        let request = wire::DescribeOperationRequest {
            name: name.as_str().to_owned(),
            unredacted: false,
        };
        let described = self.inspection.describe_operation(call(visitor, request));
        match described.await {
            Ok(record) => Ok(View::of(record.into_inner())),
            Err(status) if is_withheld(&status) => {
                let record = self.records.get(visitor, name).await?;
                Ok(View::standard(record.to_operation()))
            }
            Err(status) => Err(status),
        }
    }

    async fn describe(
        &self,
        visitor: &Visitor,
        name: &OperationName,
    ) -> Result<(View, Permits), Status> {
        match self.inspection.describe_for(visitor, name).await {
            Ok(described) => {
                let permits = Permits {
                    cancel: described.cancel,
                    delete: described.delete,
                    resubmit: described.resubmit,
                    complete: described.complete,
                    repair: described.repair,
                };
                Ok((View::of(described.record), permits))
            }
            Err(status) if is_withheld(&status) => {
                let record = self.records.get(visitor, name).await?;
                let may = async |rpc| self.records.authorize(visitor, rpc, &record).await;
                let permits = Permits {
                    cancel: may(OperationsRpc::Cancel).await,
                    delete: may(OperationsRpc::Delete).await,
                    resubmit: Err(status.clone()),
                    complete: Err(status.clone()),
                    repair: Err(status),
                };
                Ok((View::standard(record.to_operation()), permits))
            }
            Err(status) => Err(status),
        }
    }

    async fn steps(
        &self,
        visitor: &Visitor,
        name: &OperationName,
    ) -> Result<Option<wire::ListStepsResponse>, Status> {
        let listed = self.steps.list_steps(call(visitor, list_steps(name)));
        listed.await.map(|listed| Some(listed.into_inner()))
    }

    async fn change_steps(&self, visitor: &Visitor, change: StepChange) -> Result<(), Status> {
        let steps = &self.steps;
        match change {
            StepChange::Complete(complete) => {
                let called = steps.complete_promise(call(visitor, complete));
                called.await.map(drop)
            }
            StepChange::Forget(forget) => {
                let called = steps.forget_steps(call(visitor, forget));
                called.await.map(drop)
            }
            StepChange::Unblock(unblock) => {
                let called = steps.unblock(call(visitor, unblock));
                called.await.map(drop)
            }
        }
    }

    async fn counts(
        &self,
        visitor: &Visitor,
        parent: &ParentPattern,
        filter: &str,
    ) -> Result<wire::CountOperationsResponse, Status> {
        let request = wire::CountOperationsRequest {
            parent: parent.as_str().to_owned(),
            filter: filter.to_owned(),
            ..Default::default()
        };
        self.inspection.recent_counts(visitor, &request).await
    }

    async fn methods(&self, visitor: &Visitor) -> Result<Vec<wire::Method>, Status> {
        let request = call(visitor, wire::ListMethodsRequest {});
        let methods = self.inspection.list_methods(request).await?;
        Ok(methods.into_inner().methods)
    }

    async fn workers(&self, visitor: &Visitor) -> Result<wire::ListWorkersResponse, Status> {
        let request = call(visitor, wire::ListWorkersRequest {});
        let workers = self.inspection.list_workers(request).await?;
        Ok(workers.into_inner())
    }

    async fn history(
        &self,
        visitor: &Visitor,
        method: &str,
    ) -> Result<Option<wire::MethodHistory>, Status> {
        self.inspection.method_history(visitor, method).await
    }

    async fn act(&self, visitor: &Visitor, act: &Act<'_>) -> Result<Option<String>, Status> {
        match act.action {
            Action::Cancel => self.records.cancel(visitor, act.name).await?,
            Action::Delete => self.records.delete(visitor, act.name).await?,
            Action::Resubmit => {
                let request = wire::ResubmitOperationRequest {
                    name: act.name.as_str().to_owned(),
                    request: None,
                    request_id: act.request_id.clone(),
                };
                let answer = self.inspection.resubmit_operation(call(visitor, request));
                let started = answer.await?.into_inner().operation;
                return Ok(started.map(|it| it.name));
            }
        }
        Ok(None)
    }

    fn follow(&self, followed: Followed) -> Result<Box<dyn Signals>, Status> {
        let subscription = match followed {
            Followed::Names(names) => self.changes.follow(names)?,
            Followed::All => self.changes.follow_all()?,
        };
        Ok(Box::new(Subscribed(subscription)))
    }

    fn now(&self) -> Timestamp {
        self.records.now()
    }
}

/// A call as the visitor.
fn call<T>(visitor: &Visitor, message: T) -> Request<T> {
    let (headers, extensions) = (visitor.metadata(), visitor.extensions());
    Request::from_parts(headers.clone(), extensions.clone(), message)
}

/// Whether the standard methods may tell more than nothing.
fn is_withheld(status: &Status) -> bool {
    status.code() == Code::PermissionDenied
}

struct Subscribed(ChangeSubscription);

#[async_trait]
impl Signals for Subscribed {
    async fn next(&mut self) -> Signal {
        match self.0.next().await {
            Changed::Operations(names) => Signal::Changed(names),
            Changed::Closing => Signal::Closing,
            _ => Signal::Resync,
        }
    }
}
