use std::collections::BTreeMap;
use std::fmt;

use lro_core::store::OperationRecord;
use lro_core::{OperationName, ParentPattern};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request};

use super::{OperationsRpc, Principal};

/// A call before authentication.
///
/// ```
/// use lro_server::access::{Caller, Principal};
/// use tonic::Status;
///
/// fn authenticate(caller: &Caller<'_>) -> Result<Principal, Status> {
///     let user = caller.header("x-user");
///     let user = user.ok_or_else(|| Status::unauthenticated("the header x-user is missing"))?;
///     Ok(Principal::new(user))
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    headers: &'a MetadataMap,
    extensions: &'a Extensions,
    rpc: &'a str,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(headers: &'a MetadataMap, extensions: &'a Extensions, rpc: &'a str) -> Self {
        Self {
            headers,
            extensions,
            rpc,
        }
    }

    pub(crate) fn of<T>(request: &'a Request<T>, rpc: &'a str) -> Self {
        Self::new(request.metadata(), request.extensions(), rpc)
    }

    /// The call's headers.
    pub fn headers(&self) -> &'a MetadataMap {
        self.headers
    }

    /// The text of one header; `None` if it is missing, repeated, or not a text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// The call's extensions. tonic's server puts the peer's address and certificates there
    /// (`TcpConnectInfo`, `TlsConnectInfo<TcpConnectInfo>`), interceptors what they have found.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// The gRPC path of the call: `/google.longrunning.Operations/..`, or that of the rpc which
    /// starts an operation.
    pub fn rpc(&self) -> &'a str {
        self.rpc
    }
}

/// Headers hold credentials, and are not shown.
impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("rpc", &self.rpc)
            .finish_non_exhaustive()
    }
}

/// A call on one operation, or of a list of operations.
///
/// ```
/// use lro_server::access::{Access, Call};
///
/// /// A policy: callers see only the operations below their own name.
/// fn may_call(call: &Call<'_>) -> Access {
///     Access::allowed_if(call.is_within(&format!("users/{}", call.principal().name())))
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub(super) caller: Caller<'a>,
    pub(super) principal: &'a Principal,
    pub(super) method: OperationsRpc,
    pub(super) service: &'a str,
    pub(super) permission: &'a str,
    pub(super) name: Option<&'a OperationName>,
    pub(super) parent: &'a ParentPattern,
}

impl<'a> Call<'a> {
    /// Headers and extensions.
    pub fn caller(&self) -> Caller<'a> {
        self.caller
    }

    /// The principal that calls.
    pub fn principal(&self) -> &'a Principal {
        self.principal
    }

    /// The method to authorize. It can differ from the rpc: to decide whether the caller may get
    /// NOT_FOUND, the server also authorizes a call for one operation as a list of its parent.
    pub fn method(&self) -> OperationsRpc {
        self.method
    }

    /// The service that owns the operation, by the binding of its name; empty if no service is
    /// configured, or none has such names. If several services share a binding, the server
    /// authorizes the call for each of them.
    pub fn service(&self) -> &'a str {
        self.service
    }

    /// The permission that the call needs: `{service}.operations.{verb}`, or
    /// `longrunning.operations.{verb}` if the service is unknown.
    pub fn permission(&self) -> &'a str {
        self.permission
    }

    /// The operation; none for a list.
    pub fn name(&self) -> Option<&'a OperationName> {
        self.name
    }

    /// The parent of the operation or the list. In a list, segments may be wildcards (`-`): then
    /// all parents that match must be allowed.
    pub fn parent(&self) -> &'a ParentPattern {
        self.parent
    }

    /// Whether every operation that the call can reach belongs to `parent`, directly or further below.
    ///
    /// The text has no wildcards, so that it can contain a principal's name: `*` and empty segments match no
    /// parent, and a wildcard (`-`) of the call is within none. An empty text contains nothing. For patterns, use
    /// [`ParentPattern::covers`].
    pub fn is_within(&self, parent: &str) -> bool {
        is_within(self.parent, parent)
    }
}

pub(crate) fn is_within(inner: &ParentPattern, outer: &str) -> bool {
    let mut inner = inner.segments();
    outer
        .split('/')
        .all(|outer| inner.next() == Some(Some(outer)))
}

/// The facts about an existing operation.
///
/// ```
/// use lro_server::access::{Access, Call, OperationFacts};
///
/// /// A policy: callers see only the operations that they have started.
/// fn is_own(call: &Call<'_>, operation: &OperationFacts<'_>) -> Access {
///     Access::allowed_if(operation.principal() == call.principal().name())
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OperationFacts<'a> {
    record: &'a OperationRecord,
}

impl<'a> OperationFacts<'a> {
    pub(crate) fn new(record: &'a OperationRecord) -> Self {
        Self { record }
    }

    /// Its name.
    pub fn name(&self) -> &'a OperationName {
        &self.record.name
    }

    /// The gRPC path of the rpc that started it.
    pub fn method(&self) -> &'a str {
        &self.record.method
    }

    /// The principal that started it; empty if unknown.
    pub fn principal(&self) -> &'a str {
        &self.record.origin.principal
    }

    /// The starter's labels.
    pub fn labels(&self) -> &'a BTreeMap<String, String> {
        &self.record.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec:82
    #[test]
    fn being_within_goes_by_segments_and_knows_no_wildcards() {
        for (inner, outer, within) in [
            ("users/a", "users/a", true),
            ("users/a/jobs/1", "users/a", true),
            ("users/a/-", "users/a", true),
            ("users", "users/a", false),
            ("users/ab", "users/a", false),
            ("users/A", "users/a", false),
            ("users/-", "users/a", false),
            ("-/a", "users/a", false),
            ("", "users/a", false),
            // Names that would be more than a name, were they parsed.
            ("users/a", "", false),
            ("", "", false),
            ("users/a", "users/", false),
            ("users/a", "users/*", false),
            ("users/-", "users/*", false),
            ("users/-", "users/-", false),
            ("users/a", "users/operations", false),
            ("users/a", "/users/a", false),
        ] {
            let inner: ParentPattern = inner.parse().unwrap();
            assert_eq!(is_within(&inner, outer), within, "{inner} in {outer}");
        }
    }
}
