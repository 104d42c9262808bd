//! The records of operations, as one caller may see them: for services that show operators more than
//! `google.longrunning.Operations` does.

use std::fmt;

use lro_core::store::{Command, OperationRecord};
use lro_core::{ListOptions, OperationName, ParentPattern, Timestamp};
use tonic::{Request, Status};

use crate::access::{Caller, Grant, OperationsRpc, Principal, Visit};
use crate::operations::{Operations, list_request};
use crate::rpc::reason::actor;
use crate::rpc::status::complete;

/// The records of a server's operations, behind its authorizer. A cheap clone of
/// [`Operations::records`].
///
/// Each call takes the request of the caller, whose headers and extensions the
/// [`Authorizer`](crate::access::Authorizer) reads, and needs the permission of the rpc that
/// does the same: a record is read with that of GetOperation, a page with that of ListOperations.
/// Records have more than operations: labels, the principal, the request, the lease. A service that
/// passes them on decides which parts its callers may see.
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_server::{ListOptions, Operations};
/// use tonic::Request;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let operations = Operations::new(MemoryStore::new());
/// let caller = Request::new(()); // with the headers of the request that asks
/// let page = operations
///     .records()
///     .list(&caller, Default::default(), &ListOptions::new())
///     .await?;
/// assert!(page.records.is_empty());
/// # Ok::<(), tonic::Status>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Records {
    operations: Operations,
}

/// One page of records.
///
/// ```
/// use lro_server::records::RecordPage;
///
/// assert_eq!(RecordPage::default().next_page_token, "");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RecordPage {
    /// The records, newest first, without requests and checkpoints.
    pub records: Vec<OperationRecord>,
    /// The token of the next page; empty at the end of the list.
    pub next_page_token: String,
}

impl Operations {
    /// The records of these operations, for services that show more than operations.
    pub fn records(&self) -> Records {
        Records {
            operations: self.clone(),
        }
    }
}

impl Records {
    /// One page of the records directly below a parent, newest first. See [`Operations::list`].
    ///
    /// # Errors
    ///
    /// Those of ListOperations.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop.
    pub async fn list(
        &self,
        caller: &Request<()>,
        parent: ParentPattern,
        options: &ListOptions,
    ) -> Result<RecordPage, Status> {
        let request = list_request(options);
        let page = async {
            let visit = self.enter(OperationsRpc::List, caller).await?;
            let grant = visit.list(&parent).await?;
            self.operations.records_as(&grant, parent, &request).await
        };
        page.await.map_err(complete)
    }

    /// The record of that name, with its request.
    ///
    /// # Errors
    ///
    /// Those of GetOperation.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop.
    pub async fn get(
        &self,
        caller: &Request<()>,
        name: &OperationName,
    ) -> Result<OperationRecord, Status> {
        let record = async {
            let visit = self.enter(OperationsRpc::Get, caller).await?;
            let grant = visit.operation(name).await?;
            grant.admit(self.operations.find(name).await?).await
        };
        record.await.map_err(complete)
    }

    /// Whether the caller may call this method on the operation of the record: for a button that says
    /// why it is disabled. The call itself is authorized again.
    ///
    /// # Errors
    ///
    /// The error that the call would get.
    pub async fn authorize(
        &self,
        caller: &Request<()>,
        rpc: OperationsRpc,
        record: &OperationRecord,
    ) -> Result<(), Status> {
        let admitted = async {
            let grant = self
                .enter(rpc, caller)
                .await?
                .operation(&record.name)
                .await?;
            grant.admit(Some(record)).await.map(|_| ())
        };
        admitted.await.map_err(complete)
    }

    /// Requests the cancellation of the operation. See [`Operations::cancel`].
    ///
    /// # Errors
    ///
    /// Those of CancelOperation.
    pub async fn cancel(&self, caller: &Request<()>, name: &OperationName) -> Result<(), Status> {
        self.update(caller, OperationsRpc::Cancel, name).await
    }

    /// Deletes the operation. See [`Operations::delete`].
    ///
    /// # Errors
    ///
    /// Those of DeleteOperation.
    pub async fn delete(&self, caller: &Request<()>, name: &OperationName) -> Result<(), Status> {
        self.update(caller, OperationsRpc::Delete, name).await
    }

    /// Authenticates the caller. See [`Operations::principal`].
    ///
    /// # Errors
    ///
    /// The authorizer's error, usually UNAUTHENTICATED.
    pub async fn principal(&self, caller: &Request<()>) -> Result<Principal, Status> {
        self.operations.principal(caller).await
    }

    /// The present time of the server's clock, by which records have their ages.
    pub fn now(&self) -> Timestamp {
        self.operations.engine().clock().now()
    }

    async fn update(
        &self,
        caller: &Request<()>,
        rpc: OperationsRpc,
        name: &OperationName,
    ) -> Result<(), Status> {
        let updated = async {
            let visit = self.enter(rpc, caller).await?;
            let limits = self.operations.engine().limits();
            let actor = actor(caller.metadata(), visit.principal().name(), limits)?;
            let grant: Grant<'_> = visit.operation(name).await?;
            let command = match rpc {
                OperationsRpc::Cancel => Command::Cancel(actor),
                _ => Command::Delete(actor),
            };
            self.operations.update(&grant, name, command).await
        };
        updated.await.map_err(complete)
    }

    async fn enter<'a>(
        &'a self,
        rpc: OperationsRpc,
        caller: &'a Request<()>,
    ) -> Result<Visit<'a>, Status> {
        let caller = Caller::of(caller, rpc.path());
        self.operations.gate().enter(rpc, caller).await
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Records")
    }
}

#[cfg(test)]
mod tests {
    use lro_core::store::{MemoryStore, NewOperation, OperationStore as _};
    use tonic::Code;

    use super::*;
    use crate::access::{Access, Authorizer, Call};

    /// Callers named in a header, who may do what the header `may` says.
    #[derive(Debug)]
    struct ByHeader;

    #[tonic::async_trait]
    impl Authorizer for ByHeader {
        async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
            let user = caller.header("user");
            user.map(Principal::new)
                .ok_or_else(|| Status::unauthenticated("no user"))
        }

        async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
            let may = call.caller().header("may").unwrap_or_default();
            Ok(Access::allowed_if(may.contains(call.method().as_str())))
        }
    }

    fn caller(may: &'static str) -> Request<()> {
        let mut request = Request::new(());
        request
            .metadata_mut()
            .insert("user", "ada".parse().unwrap());
        request.metadata_mut().insert("may", may.parse().unwrap());
        request
    }

    #[tokio::test]
    async fn records_need_the_permissions_of_operations() {
        let store = MemoryStore::new();
        let name: OperationName = "operations/1".parse().unwrap();
        let mut new = NewOperation::new(
            uuid::Uuid::from_u128(1),
            name.clone(),
            "/s/M",
            lro_core::pack(&()),
        );
        new.labels.insert("team".into(), "data".into());
        store.start(vec![new]).await.unwrap().remove(0).unwrap();
        let operations = Operations::builder(store).authorizer(ByHeader).build();
        let records = operations.records();
        let options = ListOptions::new();
        let list = async |caller: &Request<()>| {
            let page = records
                .list(caller, ParentPattern::default(), &options)
                .await;
            page.map(|page| page.records.len())
        };

        let reader = caller("get list");
        assert_eq!(list(&reader).await.unwrap(), 1);
        let record = records.get(&reader, &name).await.unwrap();
        assert_eq!(record.labels["team"], "data");
        let denied = records.authorize(&reader, OperationsRpc::Delete, &record);
        assert_eq!(denied.await.unwrap_err().code(), Code::PermissionDenied);
        let denied = records.delete(&reader, &name).await.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
        assert_eq!(records.principal(&reader).await.unwrap().name(), "ada");

        let outsider = caller("");
        assert_eq!(
            list(&outsider).await.unwrap_err().code(),
            Code::PermissionDenied
        );
        let denied = records.get(&outsider, &name).await.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
        let anonymous = Request::new(());
        assert_eq!(
            list(&anonymous).await.unwrap_err().code(),
            Code::Unauthenticated
        );

        let admin = caller("get list cancel delete");
        records
            .authorize(&admin, OperationsRpc::Cancel, &record)
            .await
            .unwrap();
        records.cancel(&admin, &name).await.unwrap();
        assert!(
            records
                .get(&admin, &name)
                .await
                .unwrap()
                .cancel_time
                .is_some()
        );
        records.delete(&admin, &name).await.unwrap();
        let missing = records.get(&admin, &name).await.unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
    }
}
