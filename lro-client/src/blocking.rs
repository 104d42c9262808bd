//! A blocking client and poller for programs without async: they run the async client on a small
//! runtime of their own.
//!
//! ```no_run
//! use lro_client::blocking::OperationsClient;
//! use tonic::transport::Channel;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let operations = OperationsClient::new(async {
//!     let channel = Channel::from_static("http://[::1]:50051").connect().await?;
//!     Ok::<_, tonic::transport::Error>(lro_client::OperationsClient::new(channel))
//! })??;
//! let poller = operations.resume::<(), ()>("operations/42");
//! poller.until_done()?;
//! # Ok(()) }
//! ```
//!
//! All calls block the thread. Within an async runtime, where they would block other tasks, they
//! fail immediately with FAILED_PRECONDITION.

mod poller;

use std::sync::Arc;
use std::time::Duration;

use lro_core::{Operation, pb};
use tokio::runtime::{Builder, Handle, Runtime};
use tonic::Status;

use crate::{ListOptions, ResumeError, ResumeToken};
pub use poller::{Poller, Updates};

/// A blocking client of the service `google.longrunning.Operations`. It is cheap to clone, and many
/// threads can use it.
///
/// ```
/// use lro_client::blocking::OperationsClient;
/// use tonic::transport::Channel;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let operations = OperationsClient::new(async {
///     let channel = Channel::from_static("http://[::1]:50051").connect_lazy();
///     Ok::<_, tonic::Status>(lro_client::OperationsClient::new(channel))
/// })??;
/// # Ok(()) }
/// ```
///
/// The methods correspond to those of [`crate::OperationsClient`] with the same names.
///
/// # Errors
///
/// As for the async client, and FAILED_PRECONDITION within an async runtime.
#[derive(Clone, Debug)]
pub struct OperationsClient {
    operations: crate::OperationsClient,
    runtime: Shared,
}

impl OperationsClient {
    /// Creates a client: runs `connect` on a new runtime, which the client keeps, because a channel
    /// belongs to the runtime that created it.
    ///
    /// The runtime runs on the calling threads during their calls, and not between them. If the
    /// server closes the connection meanwhile, the next call opens another.
    ///
    /// # Errors
    ///
    /// FAILED_PRECONDITION within an async runtime, INTERNAL if the system has no resources for a
    /// runtime; the inner result is that of `connect`.
    pub fn new<E>(
        connect: impl Future<Output = Result<crate::OperationsClient, E>>,
    ) -> Result<Result<Self, E>, Status> {
        let runtime = Shared::new()?;
        let connected = runtime.block_on(connect)?;
        Ok(connected.map(|operations| Self {
            operations,
            runtime,
        }))
    }

    /// Changes the settings of the async client inside.
    #[must_use]
    pub fn map(
        self,
        change: impl FnOnce(crate::OperationsClient) -> crate::OperationsClient,
    ) -> Self {
        Self {
            operations: change(self.operations),
            runtime: self.runtime,
        }
    }

    /// Runs a future on the client's runtime: a call of a generated client over the same channel,
    /// such as the one that starts an operation.
    ///
    /// # Errors
    ///
    /// FAILED_PRECONDITION within an async runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, Status> {
        self.runtime.block_on(future)
    }

    /// The latest state of an operation.
    ///
    /// # Errors
    ///
    /// See [the type](Self#errors).
    pub fn get(&self, name: &str) -> Result<pb::Operation, Status> {
        self.block_on(self.operations.get(name))?
    }

    /// Waits on the server until the operation is done or `timeout` has passed.
    ///
    /// # Errors
    ///
    /// See [the type](Self#errors).
    pub fn wait(&self, name: &str, timeout: Duration) -> Result<pb::Operation, Status> {
        self.block_on(self.operations.wait(name, timeout))?
    }

    /// One page of the operations below `parent`.
    ///
    /// # Errors
    ///
    /// See [the type](Self#errors).
    pub fn list(
        &self,
        parent: &str,
        options: &ListOptions,
    ) -> Result<pb::ListOperationsResponse, Status> {
        self.block_on(self.operations.list(parent, options))?
    }

    /// All operations below `parent`, from all pages, fetched as they are read.
    ///
    /// # Errors
    ///
    /// An item is an error as in [`crate::OperationList`]; within an async runtime, every item is
    /// an error.
    pub fn list_all(
        &self,
        parent: impl Into<String>,
        options: ListOptions,
    ) -> impl Iterator<Item = Result<pb::Operation, Status>> {
        let mut list = self.operations.list_all(parent, options);
        let runtime = self.runtime.clone();
        std::iter::from_fn(move || {
            runtime
                .block_on(list.next())
                .unwrap_or_else(|it| Some(Err(it)))
        })
    }

    /// Asks the server to cancel an operation.
    ///
    /// # Errors
    ///
    /// See [the type](Self#errors).
    pub fn cancel(&self, name: &str) -> Result<(), Status> {
        self.block_on(self.operations.cancel(name))?
    }

    /// Deletes an operation whose result no caller needs any more.
    ///
    /// # Errors
    ///
    /// See [the type](Self#errors).
    pub fn delete(&self, name: &str) -> Result<(), Status> {
        self.block_on(self.operations.delete(name))?
    }

    /// A poller for an operation that was just started.
    pub fn poller<R, M>(&self, operation: Operation<R, M>) -> Poller<R, M> {
        let poller = crate::IntoPoller::into_poller(operation, &self.operations);
        Poller::new(poller, self.runtime.clone())
    }

    /// A poller for the operation of this name; see [`crate::Poller::resume`].
    pub fn resume<R, M>(&self, name: impl Into<String>) -> Poller<R, M> {
        let poller = crate::Poller::resume(name, &self.operations);
        Poller::new(poller, self.runtime.clone())
    }

    /// A poller for the operation of a token; see [`ResumeToken::resume`].
    ///
    /// # Errors
    ///
    /// As [`ResumeToken::resume`].
    pub fn resume_token<R: prost::Name, M: prost::Name>(
        &self,
        token: &ResumeToken,
    ) -> Result<Poller<R, M>, ResumeError> {
        let poller = token.resume(&self.operations)?;
        Ok(Poller::new(poller, self.runtime.clone()))
    }
}

/// The runtime of a client and its pollers.
#[derive(Clone, Debug)]
struct Shared(Arc<Owned>);

/// In an `Option` only to be taken out when it is dropped.
#[derive(Debug)]
struct Owned(Option<Runtime>);

impl Shared {
    fn new() -> Result<Self, Status> {
        refuse_async()?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Status::internal(format!("no runtime for blocking calls: {error}")))?;
        Ok(Self(Arc::new(Owned(Some(runtime)))))
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, Status> {
        Ok(self.ready()?.block_on(future))
    }

    /// The runtime, if this thread may be blocked.
    fn ready(&self) -> Result<&Runtime, Status> {
        refuse_async()?;
        let runtime = self.0.0.as_ref();
        runtime.ok_or_else(|| Status::internal("the runtime for blocking calls has shut down"))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Otherwise dropping a client within an async runtime would panic.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn refuse_async() -> Result<(), Status> {
    match Handle::try_current() {
        Err(_) => Ok(()),
        Ok(_) => Err(Status::failed_precondition(
            "a blocking call within an async runtime: use the async client of lro_client there",
        )),
    }
}
