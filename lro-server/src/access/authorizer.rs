use std::fmt;

use lro_core::OperationName;
use tonic::Status;

#[cfg(feature = "inspection")]
use super::InspectionCall;
use super::call::is_within;
use super::{Call, Caller, OperationFacts, Principal};

/// Authorizes callers. The [module](super) describes the order of the checks.
///
/// ```
/// use lro_server::access::{Access, Authorizer, Call};
/// use tonic::Status;
///
/// /// Callers may do anything, but only in one project.
/// #[derive(Debug)]
/// struct OneProject;
///
/// #[tonic::async_trait]
/// impl Authorizer for OneProject {
///     async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
///         Ok(Access::allowed_if(call.is_within("projects/a")))
///     }
/// }
///
/// # let store = lro_server::lro_core::store::MemoryStore::new();
/// let operations = lro_server::Operations::builder(store).authorizer(OneProject).build();
/// ```
///
/// # Errors
///
/// A method returns a [`Status`] if it cannot decide, or for an answer besides yes and no:
/// UNAUTHENTICATED for missing or wrong credentials, UNAVAILABLE while the policy service is
/// unreachable. The caller receives the status unchanged, with an ErrorInfo if it has none, so never
/// put credentials into it. PERMISSION_DENIED counts as [`Access::Denied`], with the text of all
/// denials.
///
/// # Cancel safety
///
/// The server drops the future if the caller cancels the call.
#[tonic::async_trait]
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// Authenticates the caller, once for each call, starts included. Default: an anonymous
    /// principal.
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        let _ = caller;
        Ok(Principal::default())
    }

    /// Decides whether the call may read its operation, or list the operations of its parent.
    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status>;

    /// Decides again once the operation has been found: for policies that depend on the principal
    /// that started it. Lists skip this step: a caller that may list a parent sees all its
    /// operations.
    async fn authorize_operation(
        &self,
        call: &Call<'_>,
        operation: &OperationFacts<'_>,
    ) -> Result<Access, Status> {
        let _ = (call, operation);
        Ok(Access::Allowed)
    }

    /// Decides whether the caller may start an operation. Default: every start that passed the rpc's
    /// own interceptors and its `prepare` is allowed.
    async fn authorize_start(&self, start: &StartCall<'_>) -> Result<Access, Status> {
        let _ = start;
        Ok(Access::Allowed)
    }

    /// Decides whether a caller of `lro.v1.Inspection` or `lro.v1.Steps` has one of its permissions. For an
    /// operation or a list, [`authorize`](Self::authorize) has allowed the standard method that reads
    /// it before. Default: [`Inspect`](super::InspectionPermission::Inspect) and
    /// [`Resubmit`](super::InspectionPermission::Resubmit) are allowed; all others are denied.
    #[cfg(feature = "inspection")]
    async fn authorize_inspection(&self, call: &InspectionCall<'_>) -> Result<Access, Status> {
        Ok(call.permission().default_access())
    }
}

/// The decision of an [`Authorizer`].
///
/// ```
/// use lro_server::access::Access;
///
/// assert!(Access::allowed_if(true).is_allowed());
/// assert_eq!(Access::allowed_if(false), Access::Denied);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The call may proceed.
    Allowed,
    /// The call is answered with PERMISSION_DENIED.
    Denied,
}

impl Access {
    /// [`Allowed`](Self::Allowed) if `allowed` is true, otherwise [`Denied`](Self::Denied).
    pub fn allowed_if(allowed: bool) -> Self {
        if allowed { Self::Allowed } else { Self::Denied }
    }

    /// Whether the call may proceed.
    pub fn is_allowed(self) -> bool {
        self == Self::Allowed
    }
}

/// An rpc that is about to start an operation.
///
/// ```
/// use lro_server::access::{Access, StartCall};
///
/// /// A policy: callers start operations only below their own name.
/// fn may_start(start: &StartCall<'_>) -> Access {
///     let own = format!("users/{}", start.principal().name());
///     Access::allowed_if(start.is_within(&own))
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StartCall<'a> {
    pub(super) caller: Caller<'a>,
    pub(super) principal: &'a Principal,
    pub(super) service: &'a str,
    pub(super) name: &'a OperationName,
}

impl<'a> StartCall<'a> {
    /// The headers and extensions of the call; its [`rpc`](Caller::rpc) is the called method.
    pub fn caller(&self) -> Caller<'a> {
        self.caller
    }

    /// The principal that calls.
    pub fn principal(&self) -> &'a Principal {
        self.principal
    }

    /// The full name of the service.
    pub fn service(&self) -> &'a str {
        self.service
    }

    /// The name of the new operation.
    pub fn name(&self) -> &'a OperationName {
        self.name
    }

    /// Whether the operation would belong to `parent`, directly or further below.
    pub fn is_within(&self, parent: &str) -> bool {
        let own = self.name.parent().parse();
        own.is_ok_and(|own| is_within(&own, parent))
    }
}
