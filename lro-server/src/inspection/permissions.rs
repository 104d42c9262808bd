//! An operation with what its caller may do to it: for services whose buttons say why they are
//! disabled.

use lro_core::inspection as pb;
use lro_core::store::OperationRecord;
use lro_core::{OperationName, OperationsRpc};
use tonic::{Request, Status};

use super::InspectionService;
use super::service::DESCRIBE;
use crate::access::{Caller, Grant, InspectionPermission};
use crate::rpc::status::complete;

/// An operation as its caller may see it, with the calls that the caller may make. The answer of
/// [`InspectionService::describe_for`].
///
/// ```
/// use lro_server::inspection::Described;
///
/// fn cancel_button(described: &Described) -> String {
///     match &described.cancel {
///         Ok(()) => "enabled".to_owned(),
///         Err(refusal) => format!("disabled: {}", refusal.message()),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Described {
    /// The record, as DescribeOperation returns it.
    pub record: pb::OperationRecord,
    /// Whether the caller may cancel the operation, whatever its state. The error is that of the call.
    pub cancel: Result<(), Status>,
    /// Whether the caller may delete the operation.
    pub delete: Result<(), Status>,
    /// Whether the caller may resubmit the operation in this process, once it has ended.
    pub resubmit: Result<(), Status>,
    /// Whether the caller may complete the operation's promises.
    pub complete: Result<(), Status>,
    /// Whether the caller may forget the operation's steps, and unblock it.
    pub repair: Result<(), Status>,
}

impl InspectionService {
    /// The record of an operation, and what the caller may do to it. The calls themselves are
    /// authorized again.
    ///
    /// ```
    /// use lro_core::store::MemoryStore;
    /// use lro_server::Operations;
    /// use lro_server::inspection::InspectionService;
    /// use tonic::{Code, Request};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let inspection: InspectionService = Operations::new(MemoryStore::new()).into();
    /// let caller = Request::new(()); // with the headers of the request that asks
    /// let missing = inspection.describe_for(&caller, &"operations/1".parse()?).await;
    /// assert_eq!(missing.unwrap_err().code(), Code::NotFound);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Those of DescribeOperation.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop.
    pub async fn describe_for(
        &self,
        caller: &Request<()>,
        name: &OperationName,
    ) -> Result<Described, Status> {
        let described = async {
            let visit = self
                .enter(OperationsRpc::Get, Caller::of(caller, DESCRIBE))
                .await?;
            let sight = visit.sight().await?;
            let grant = visit.operation(name).await?;
            let record = self.operations.record(&grant, name).await?;
            grant
                .inspects(InspectionPermission::Inspect, &record)
                .await?;
            let records = self.operations.records();
            let may = async |permission| {
                let answer = grant.inspects(permission, &record).await;
                answer.map_err(complete)
            };
            Ok(Described {
                cancel: records
                    .authorize(caller, OperationsRpc::Cancel, &record)
                    .await,
                delete: records
                    .authorize(caller, OperationsRpc::Delete, &record)
                    .await,
                resubmit: self.may_resubmit(&grant, &record).await.map_err(complete),
                complete: may(InspectionPermission::Complete).await,
                repair: may(InspectionPermission::Repair).await,
                record: self.describe(&record, sight, false),
            })
        };
        described.await.map_err(complete)
    }

    async fn may_resubmit(
        &self,
        grant: &Grant<'_>,
        record: &OperationRecord,
    ) -> Result<(), Status> {
        grant
            .inspects(InspectionPermission::Resubmit, record)
            .await?;
        self.serving(record).map(|_| ())
    }
}
