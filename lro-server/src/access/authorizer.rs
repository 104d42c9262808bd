use std::fmt;

use lro_core::OperationName;
use tonic::Status;

use super::call::is_within;
use super::{Call, Caller, OperationFacts, Principal};

/// Decides who may do what. The [module](super) has an example, and the order of a call.
///
/// # Errors
///
/// A method that gives a [`Status`] could not decide, or knows more than yes and no: UNAUTHENTICATED
/// for credentials that are missing or wrong, UNAVAILABLE when whoever decides is away. It is
/// answered as it is, with an ErrorInfo if it has none; never put credentials into it. A
/// PERMISSION_DENIED is [`Access::Denied`], in the words that all who are denied get.
///
/// # Cancel safety
///
/// A call that goes away drops the future.
#[tonic::async_trait]
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// Who calls; asked once for each call, starts included. The default is nobody in particular.
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        let _ = caller;
        Ok(Principal::default())
    }

    /// Whether the call may go on to look for its operation, or list those of its parent.
    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status>;

    /// Whether the call may go on, now that the operation has been found: for policies that depend on
    /// who started it. Lists do not ask: who may list a parent sees all that is there.
    async fn authorize_operation(
        &self,
        call: &Call<'_>,
        operation: &OperationFacts<'_>,
    ) -> Result<Access, Status> {
        let _ = (call, operation);
        Ok(Access::Allowed)
    }

    /// Whether an operation may be started. The default allows what the rpc's own interceptors and its
    /// `prepare` have let through.
    async fn authorize_start(&self, start: &StartCall<'_>) -> Result<Access, Status> {
        let _ = start;
        Ok(Access::Allowed)
    }
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The call may go on.
    Allowed,
    /// The call is answered with PERMISSION_DENIED.
    Denied,
}

impl Access {
    /// Allowed when it is so.
    pub fn when(allowed: bool) -> Self {
        match allowed {
            true => Self::Allowed,
            false => Self::Denied,
        }
    }

    /// Whether the call may go on.
    pub fn is_allowed(self) -> bool {
        self == Self::Allowed
    }
}

/// An rpc that is about to start an operation.
#[derive(Clone, Copy, Debug)]
pub struct StartCall<'a> {
    pub(super) caller: Caller<'a>,
    pub(super) principal: &'a Principal,
    pub(super) service: &'a str,
    pub(super) name: &'a OperationName,
}

impl<'a> StartCall<'a> {
    /// Headers and extensions; its [`rpc`](Caller::rpc) is the method that is called.
    pub fn caller(&self) -> Caller<'a> {
        self.caller
    }

    /// Who calls.
    pub fn principal(&self) -> &'a Principal {
        self.principal
    }

    /// The full name of the service.
    pub fn service(&self) -> &'a str {
        self.service
    }

    /// The name that the operation is to have.
    pub fn name(&self) -> &'a OperationName {
        self.name
    }

    /// Whether the operation would belong to `parent`, directly or further below.
    pub fn is_within(&self, parent: &str) -> bool {
        let own = self.name.parent().parse();
        own.is_ok_and(|own| is_within(&own, parent))
    }
}
