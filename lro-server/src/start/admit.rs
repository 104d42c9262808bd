//! Authenticates and authorizes the caller of a start.

use lro_core::OperationName;
use lro_core::store::StartError;
use tonic::Status;

use crate::access::{Caller, Gate, Principal};
use crate::operations::Operations;
use crate::rpc::error::{start_refused, start_refused_to_stranger};

/// The caller of a start, authenticated.
pub(super) struct Admission<'a> {
    gate: &'a Gate,
    caller: Caller<'a>,
    principal: Principal,
}

impl<'a> Admission<'a> {
    pub(super) async fn authenticate(gate: &'a Gate, caller: Caller<'a>) -> Result<Self, Status> {
        let principal = gate.authenticate(&caller).await?;
        Ok(Self {
            gate,
            caller,
            principal,
        })
    }

    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Fails unless the caller may start an operation of this name.
    pub(super) async fn authorize(&self, name: &OperationName) -> Result<(), Status> {
        self.gate.start(self.caller, &self.principal, name).await
    }

    /// The answer to a start that the store refused. It names the conflicting operation only if the
    /// caller may get it.
    pub(super) async fn refusal(&self, operations: &Operations, error: &StartError) -> Status {
        let (StartError::AlreadyExists(name) | StartError::ExclusiveKeyHeld(name)) = error else {
            return start_refused(error);
        };
        if self.gate.is_open() {
            return start_refused(error);
        }
        let found = match operations.find(name).await {
            Ok(found) => found,
            Err(error) => return error,
        };
        let (caller, principal) = (self.caller, &self.principal);
        if self.gate.may_get(caller, principal, name, found).await {
            start_refused(error)
        } else {
            start_refused_to_stranger(error)
        }
    }
}
