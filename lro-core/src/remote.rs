//! Operations of other servers, as an engine waits for them.

use std::fmt;

use async_trait::async_trait;
use tonic::Status;

use crate::pb;

/// A client of another server of `google.longrunning.Operations`, with which a worker waits for operations there:
/// children of its own operations.
///
/// `lro_client::OperationsClient` is one, for every server of that service. Implement it for servers that are reached
/// otherwise.
///
/// ```
/// use lro_core::{RemoteOperations, pb};
/// use tonic::Status;
///
/// /// A server whose operations end at once.
/// #[derive(Debug)]
/// struct Instant;
///
/// #[async_trait::async_trait]
/// impl RemoteOperations for Instant {
///     async fn until_done(&self, name: &str, _: &(dyn for<'o> Fn(&'o pb::Operation) + Send + Sync)) -> Result<pb::Operation, Status> {
///         Ok(pb::Operation { name: name.into(), done: true, ..Default::default() })
///     }
///
///     async fn cancel(&self, _name: &str) -> Result<(), Status> {
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait RemoteOperations: fmt::Debug + Send + Sync + 'static {
    /// Waits until the operation is done, and returns it with its result. Tells `on_change` of each state that is seen
    /// on the way.
    ///
    /// It repeats calls whose errors may pass by themselves, such as UNAVAILABLE, without a limit.
    ///
    /// # Errors
    ///
    /// NOT_FOUND if there is no such operation, or none any more: then there is nothing to wait for. After any other
    /// error it is called again later.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped and called again.
    async fn until_done(
        &self,
        name: &str,
        on_change: &(dyn for<'o> Fn(&'o pb::Operation) + Send + Sync),
    ) -> Result<pb::Operation, Status>;

    /// Asks the server to cancel the operation, without waiting for the end.
    ///
    /// # Errors
    ///
    /// NOT_FOUND if there is no such operation, UNIMPLEMENTED if the server cancels none: both are final. After any
    /// other error it is called again later.
    async fn cancel(&self, name: &str) -> Result<(), Status>;
}
