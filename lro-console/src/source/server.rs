//! The operations of the server in this process.

use async_trait::async_trait;
use lro_core::store::OperationRecord;
use lro_core::{ListOptions, OperationName, OperationsRpc, ParentPattern, Timestamp};
use lro_server::Operations;
use lro_server::changes::{ChangeSubscription, Changed, Changes};
use lro_server::records::Records;
use tonic::Status;

use super::{Action, Followed, Page, Signal, Signals, Source, View, Visitor};

/// Records and changes of the server, behind its authorizer.
#[derive(Debug)]
pub(crate) struct InProcess {
    records: Records,
    changes: Changes,
}

impl InProcess {
    pub(crate) fn new(operations: &Operations) -> Self {
        Self {
            records: operations.records(),
            changes: operations.changes(),
        }
    }
}

#[async_trait]
impl Source for InProcess {
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
        let page = self.records.list(visitor, parent, options).await?;
        Ok(Page {
            views: page.records.into_iter().map(view).collect(),
            next_page_token: page.next_page_token,
        })
    }

    async fn get(&self, visitor: &Visitor, name: &OperationName) -> Result<View, Status> {
        self.records.get(visitor, name).await.map(view)
    }

    async fn permit(&self, visitor: &Visitor, action: Action, of: &View) -> Result<(), Status> {
        match &of.record {
            Some(record) => self.records.authorize(visitor, rpc(action), record).await,
            None => Ok(()),
        }
    }

    async fn act(
        &self,
        visitor: &Visitor,
        action: Action,
        name: &OperationName,
    ) -> Result<(), Status> {
        match action {
            Action::Cancel => self.records.cancel(visitor, name).await,
            Action::Delete => self.records.delete(visitor, name).await,
        }
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

fn view(record: OperationRecord) -> View {
    View {
        operation: record.to_operation(),
        record: Some(record),
    }
}

fn rpc(action: Action) -> OperationsRpc {
    match action {
        Action::Cancel => OperationsRpc::Cancel,
        Action::Delete => OperationsRpc::Delete,
    }
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
