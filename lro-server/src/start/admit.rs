//! Authenticates and authorizes the caller of a start.

use lro_core::store::StartError;
use lro_core::{OperationName, Reason};
use tonic::Status;

use crate::access::{Caller, Gate, Principal};
use crate::operations::Operations;
use crate::rpc::error::{start_refused, start_refused_to_stranger};

/// The caller of a start, authenticated.
pub(super) struct Admission<'a> {
    gate: &'a Gate,
    caller: Caller<'a>,
    principal: Principal,
    /// The body of another operation starts it, on behalf of that principal.
    is_child: bool,
}

impl<'a> Admission<'a> {
    pub(super) async fn authenticate(gate: &'a Gate, caller: Caller<'a>) -> Result<Self, Status> {
        let principal = gate.authenticate(&caller).await?;
        Ok(Self {
            gate,
            caller,
            principal,
            is_child: false,
        })
    }

    /// The start of a child: the caller is the service's own code.
    pub(super) fn of_child(gate: &'a Gate, caller: Caller<'a>, principal: Principal) -> Self {
        Self {
            gate,
            caller,
            principal,
            is_child: true,
        }
    }

    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Fails unless the caller may start an operation of this name.
    pub(super) async fn authorize(&self, name: &OperationName) -> Result<(), Status> {
        match self.is_child {
            true => Ok(()),
            false => self.gate.start(self.caller, &self.principal, name).await,
        }
    }

    /// The answer to a start that the store refused. It names the conflicting operation only if the
    /// caller may get it.
    pub(super) async fn refusal(&self, operations: &Operations, error: &StartError) -> Status {
        if let (true, StartError::RequestIdReused(_)) = (self.is_child, error) {
            let message = format!("{error}; is the request of the child made of recorded values?");
            return Reason::RequestIdReused.field_status("request_id", message);
        }
        let (StartError::AlreadyExists(name) | StartError::ExclusiveKeyHeld(name)) = error else {
            return start_refused(error);
        };
        if self.gate.is_open() || self.is_child {
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
