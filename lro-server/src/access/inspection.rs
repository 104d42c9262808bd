//! The permissions of the inspection service.

use std::fmt;

use lro_core::store::OperationRecord;
use lro_core::{OperationName, OperationsRpc, ParentPattern};
use tonic::Status;

use super::gate::{Gate, Visit, yes_or_no};
use super::grant::{Grant, Kind};
use super::refusal::{collection, denied};
use super::{Access, Caller, Principal};
use crate::services::ServiceSettings;

/// A permission of the services `lro.v1.Inspection` and `lro.v1.Steps`, besides that of the standard
/// method which reads the same operations.
///
/// ```
/// use lro_server::access::InspectionPermission;
///
/// assert_eq!(InspectionPermission::Inspect.to_string(), "inspect");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InspectionPermission {
    /// To see records of operations: requests, principals, labels, attempts.
    Inspect,
    /// To see the fields of a record that their protos mark as `debug_redact`.
    InspectUnredacted,
    /// To start an operation again with its stored request. The rpc that starts it asks
    /// [`authorize_start`](super::Authorizer::authorize_start) besides.
    Resubmit,
    /// To see what concerns all operations of the server, of all callers: its workers and
    /// their load, its methods, and the worker of each attempt.
    Operate,
    /// To see the values that the steps of an operation have recorded, and the details of their errors.
    ReadSteps,
    /// To give a promise of an operation its value, as `CompletePromise` does.
    Complete,
    /// To make an operation continue that its code blocks: to forget recorded steps, and to run it
    /// at once.
    Repair,
}

impl InspectionPermission {
    /// The verb, as permissions name it: `inspect`, `inspectUnredacted`, `resubmit`, `operate`,
    /// `readSteps`, `complete` or `repair`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::InspectUnredacted => "inspectUnredacted",
            Self::Resubmit => "resubmit",
            Self::Operate => "operate",
            Self::ReadSteps => "readSteps",
            Self::Complete => "complete",
            Self::Repair => "repair",
        }
    }

    /// Whether a call that needs it changes nothing.
    fn is_read_only(self) -> bool {
        !matches!(self, Self::Resubmit | Self::Complete | Self::Repair)
    }

    /// The decision of an authorizer that does not say: nothing that goes beyond the operations
    /// which the caller may read by the standard methods.
    pub(super) fn default_access(self) -> Access {
        Access::allowed_if(matches!(self, Self::Inspect | Self::Resubmit))
    }
}

/// Writes the verb.
impl fmt::Display for InspectionPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call of the inspection service, or of that of steps, which needs a permission.
///
/// ```
/// use lro_server::access::{Access, InspectionCall, InspectionPermission};
///
/// /// A policy: one team operates the server.
/// fn may_inspect(call: &InspectionCall<'_>) -> Access {
///     let is_operator = call.principal().name() == "groups/operators";
///     Access::allowed_if(is_operator || call.permission() == InspectionPermission::Inspect)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct InspectionCall<'a> {
    caller: Caller<'a>,
    principal: &'a Principal,
    permission: InspectionPermission,
    permission_name: &'a str,
    service: &'a str,
    name: Option<&'a OperationName>,
    parent: &'a ParentPattern,
}

impl<'a> InspectionCall<'a> {
    /// Headers and extensions.
    pub fn caller(&self) -> Caller<'a> {
        self.caller
    }

    /// The principal that calls.
    pub fn principal(&self) -> &'a Principal {
        self.principal
    }

    /// The permission that the call needs.
    pub fn permission(&self) -> InspectionPermission {
        self.permission
    }

    /// The name of the permission: `{service}.operations.{verb}`, or
    /// `longrunning.operations.{verb}` if it is for all services or the service is unknown.
    pub fn permission_name(&self) -> &'a str {
        self.permission_name
    }

    /// The service that owns the operations; empty if the permission is for all services, or if the
    /// service is unknown.
    pub fn service(&self) -> &'a str {
        self.service
    }

    /// The operation; none for several.
    pub fn name(&self) -> Option<&'a OperationName> {
        self.name
    }

    /// The parent of the operations. Empty for [`InspectionPermission::Operate`], which has none.
    pub fn parent(&self) -> &'a ParentPattern {
        self.parent
    }
}

/// How much a caller may see of what concerns all operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// The operations that it may read.
    Caller,
    /// The workers and their load, too.
    Operator,
}

impl Gate {
    /// A call of the inspection service that is for no operation in particular.
    pub(crate) async fn enter_inspection<'a>(
        &'a self,
        caller: Caller<'a>,
    ) -> Result<Visit<'a>, Status> {
        let principal = self.authenticate(&caller).await?;
        Ok(self.visit(OperationsRpc::List, caller, principal))
    }
}

impl Visit<'_> {
    /// How much the caller may see.
    pub(crate) async fn sight(&self) -> Result<Sight, Status> {
        let permission = InspectionPermission::Operate;
        for service in self.gate.services().iter() {
            if !service.admits_scopes(&self.principal, true) {
                return Ok(Sight::Caller);
            }
        }
        let all = self.gate.services().without_names();
        let none = ParentPattern::default();
        Ok(match self.inspect(all, permission, None, &none).await? {
            None => Sight::Operator,
            Some(_) => Sight::Caller,
        })
    }

    /// Fails unless the caller may see what concerns all operations.
    pub(crate) async fn operates(&self) -> Result<(), Status> {
        match self.sight().await? {
            Sight::Operator => Ok(()),
            Sight::Caller => {
                let all = self.gate.services().without_names();
                let permission = InspectionPermission::Operate.as_str();
                Err(denied(&all.permission_to(permission), "operations/-"))
            }
        }
    }

    /// Asks for a permission of the inspection service. `Some` is the denial.
    async fn inspect(
        &self,
        service: &ServiceSettings,
        permission: InspectionPermission,
        name: Option<&OperationName>,
        parent: &ParentPattern,
    ) -> Result<Option<Status>, Status> {
        let permission_name = service.permission_to(permission.as_str());
        let denial = || match name {
            Some(name) => denied(&permission_name, name.as_str()),
            None => denied(&permission_name, &collection(parent.as_str())),
        };
        if !service.admits_scopes(&self.principal, permission.is_read_only()) {
            return Ok(Some(denial()));
        }
        let Some(authorizer) = self.gate.authorizer() else {
            return Ok(None);
        };
        let call = InspectionCall {
            caller: self.caller,
            principal: &self.principal,
            permission,
            permission_name: &permission_name,
            service: service.name(),
            name,
            parent,
        };
        Ok(
            match yes_or_no(authorizer.authorize_inspection(&call).await)? {
                Access::Allowed => None,
                Access::Denied => Some(denial()),
            },
        )
    }
}

impl Grant<'_> {
    /// Fails unless the caller has the permission for the operation that was
    /// [admitted](Self::admit).
    pub(crate) async fn inspects(
        &self,
        permission: InspectionPermission,
        record: &OperationRecord,
    ) -> Result<(), Status> {
        let Kind::Operation {
            visit,
            name,
            parent,
            services,
        } = &self.kind
        else {
            return Ok(());
        };
        let owner = services.iter().find(|(it, _)| it.owns(&record.method));
        let service = owner.map_or(visit.gate.services().without_names(), |(it, _)| *it);
        let denial = visit.inspect(service, permission, Some(name), parent);
        denial.await?.map_or(Ok(()), Err)
    }

    /// Fails unless the caller has the permission for all operations of the list.
    pub(crate) async fn inspects_list(
        &self,
        permission: InspectionPermission,
    ) -> Result<(), Status> {
        let Kind::List {
            visit,
            parent,
            services,
        } = &self.kind
        else {
            return Ok(());
        };
        for service in services {
            let denial = visit.inspect(service, permission, None, parent).await?;
            denial.map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}
