//! The calls of `google.longrunning.Operations`.

mod call;
mod config;
mod headers;
mod pages;
mod settings;
mod token;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use lro_core::pb::operations_client::OperationsClient as Rpc;
use lro_core::{ListOptions, OperationsRpc, pb};
use tonic::body::Body;
use tonic::{Code, Request, Response, Status};
use tower::{BoxError, Service};

use call::{DURATION_MAX, call, retried};
use config::Config;
pub use pages::OperationList;
pub use settings::CallSettings;
pub use token::{DEFAULT_SCOPES, TokenProvider};

use crate::policy::retry_delay;
use crate::transport::{Transport, boxed};

/// A client of the service `google.longrunning.Operations`. It is cheap to clone.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use lro_client::OperationsClient;
///
/// let channel = tonic::transport::Channel::from_static("http://[::1]:50051").connect_lazy();
/// let operations = OperationsClient::new(channel);
/// let operation = operations.get("operations/42").await?;
/// println!("{} is done: {}", operation.name, operation.done);
/// # Ok(()) }
/// ```
///
/// Its methods return the wire messages. `Operation::<R, M>::from` converts one to a typed
/// [`Operation`], and a [`Poller`] waits until one is done.
///
/// [`get`](Self::get), [`list`](Self::list), [`cancel`](Self::cancel) and [`delete`](Self::delete)
/// have a time limit and retries, which [`CallSettings`] sets. Every call sends three headers:
/// `grpc-timeout` with its time limit, `x-goog-request-params`, by which routers find the
/// operation's server, and `x-goog-api-client`, which identifies the client.
///
/// # Errors
///
/// The methods return the server's status of the last try. A call that exceeds its time limit fails
/// with DEADLINE_EXCEEDED, also if tonic's own time limit reports CANCELLED. A failed operation is
/// not an error of these calls.
///
/// # Cancel safety
///
/// The futures of all methods can be dropped. It is then unknown whether the server has processed
/// the call.
///
/// [`Operation`]: crate::Operation
/// [`Poller`]: crate::Poller
#[derive(Clone)]
pub struct OperationsClient {
    transport: Transport,
    config: Arc<Config>,
    /// Knowledge that all clones share.
    wait_unimplemented: Arc<AtomicBool>,
}

impl OperationsClient {
    /// A client over a channel, or over any other service for gRPC requests: a channel with layers
    /// or an interceptor, or a server's service in the same process.
    ///
    /// Create one client for each server, because all clones share their knowledge of the server,
    /// such as whether it offers WaitOperation.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<B>>,
        S: Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            transport: boxed(service),
            config: Arc::default(),
            wait_unimplemented: Arc::default(),
        }
    }

    /// The latest state of an operation.
    ///
    /// # Errors
    ///
    /// NOT_FOUND if the operation does not exist, or not any more; see [the type](Self#errors).
    pub async fn get(&self, name: &str) -> Result<pb::Operation, Status> {
        let settings = self.config.settings(OperationsRpc::Get);
        retried(settings, || self.get_once(name, settings.timeout)).await
    }

    /// Waits on the server until the operation is done or `timeout` has passed, and returns the
    /// latest state in both cases. The server may answer earlier, even immediately.
    ///
    /// By default it makes one try, which lasts at most 10 s longer than `timeout`; the
    /// [settings](Self::with_method_settings) of [`OperationsRpc::Wait`] change that. A `timeout`
    /// is at most 10,000 years.
    ///
    /// To wait without a limit, use a [`Poller`](crate::Poller).
    ///
    /// # Errors
    ///
    /// UNIMPLEMENTED from a server that does not offer this; see [the type](Self#errors).
    pub async fn wait(&self, name: &str, timeout: Duration) -> Result<pb::Operation, Status> {
        let settings = self.config.settings(OperationsRpc::Wait);
        let limit = timeout.saturating_add(settings.timeout);
        retried(settings, || self.wait_once(name, timeout, limit)).await
    }

    /// Asks the server to cancel an operation. The operation's state shows the outcome: a cancelled
    /// operation is done, with an error of the code CANCELLED. An operation that is done already
    /// does not change.
    ///
    /// # Errors
    ///
    /// NOT_FOUND if the operation does not exist, UNIMPLEMENTED from a server without cancellation;
    /// see [the type](Self#errors).
    pub async fn cancel(&self, name: &str) -> Result<(), Status> {
        let request = pb::CancelOperationRequest { name: name.into() };
        let send = async |mut rpc: Rpc<Transport>, request| rpc.cancel_operation(request).await;
        self.call(OperationsRpc::Cancel, name, request, send).await
    }

    /// Deletes an operation whose result no caller needs any more. This does not cancel it.
    ///
    /// # Errors
    ///
    /// NOT_FOUND if the operation does not exist, also if an earlier try of the same call has
    /// deleted it and the answer was lost. See [the type](Self#errors).
    pub async fn delete(&self, name: &str) -> Result<(), Status> {
        let request = pb::DeleteOperationRequest { name: name.into() };
        let send = async |mut rpc: Rpc<Transport>, request| rpc.delete_operation(request).await;
        self.call(OperationsRpc::Delete, name, request, send).await
    }

    /// One page of the operations below `parent`; [`list_all`](Self::list_all) returns all pages.
    ///
    /// The parent is the part before `operations/` in the names, or another text that the server
    /// defines: many servers use `operations` for the root.
    ///
    /// ```
    /// # async fn example(operations: lro_client::OperationsClient) -> Result<(), tonic::Status> {
    /// use lro_client::ListOptions;
    ///
    /// let mut options = ListOptions::default();
    /// loop {
    ///     let page = operations.list("operations", &options).await?;
    ///     for operation in page.operations {
    ///         println!("{}", operation.name);
    ///     }
    ///     if page.next_page_token.is_empty() {
    ///         break;
    ///     }
    ///     options.page_token = page.next_page_token;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT for options that the server rejects; see [the type](Self#errors).
    pub async fn list(
        &self,
        parent: &str,
        options: &ListOptions,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let request = pb::ListOperationsRequest {
            name: parent.to_owned(),
            filter: options.filter.clone(),
            page_size: options.page_size,
            page_token: options.page_token.clone(),
            return_partial_success: options.return_partial_success,
        };
        let send = async |mut rpc: Rpc<Transport>, request| rpc.list_operations(request).await;
        self.call(OperationsRpc::List, parent, request, send).await
    }

    /// All operations below `parent`, from all pages, starting at [`ListOptions::page_token`]. See
    /// [`list`](Self::list) for `parent`.
    ///
    /// ```
    /// # async fn example(operations: lro_client::OperationsClient) -> Result<(), tonic::Status> {
    /// let mut list = operations.list_all("projects/p", Default::default());
    /// while let Some(operation) = list.next().await {
    ///     println!("{}", operation?.name);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn list_all(&self, parent: impl Into<String>, options: ListOptions) -> OperationList {
        OperationList::new(self.clone(), parent.into(), options)
    }

    /// Whether to call WaitOperation: unless the server is known not to offer it, or the client
    /// [must not use it](Self::without_wait_operation).
    pub(crate) fn may_wait(&self) -> bool {
        self.config.waits && !self.wait_unimplemented.load(Ordering::Relaxed)
    }

    pub(crate) async fn get_once(
        &self,
        name: &str,
        limit: Duration,
    ) -> Result<pb::Operation, Status> {
        let request = pb::GetOperationRequest { name: name.into() };
        let mut rpc = self.rpc();
        let send = |request| async move { rpc.get_operation(request).await };
        call(&self.config, OperationsRpc::Get, name, limit, request, send).await
    }

    pub(crate) async fn wait_once(
        &self,
        name: &str,
        timeout: Duration,
        limit: Duration,
    ) -> Result<pb::Operation, Status> {
        let request = pb::WaitOperationRequest {
            name: name.into(),
            timeout: prost_types::Duration::try_from(timeout.min(DURATION_MAX)).ok(),
        };
        let mut rpc = self.rpc();
        let send = |request| async move { rpc.wait_operation(request).await };
        let answer: Result<_, Status> = call(
            &self.config,
            OperationsRpc::Wait,
            name,
            limit,
            request,
            send,
        )
        .await;
        // One with a RetryInfo passes.
        if let Err(status) = &answer
            && status.code() == Code::Unimplemented
            && retry_delay(status).is_none()
        {
            self.wait_unimplemented.store(true, Ordering::Relaxed);
        }
        answer
    }

    async fn call<Q: Clone, T, F>(
        &self,
        method: OperationsRpc,
        name: &str,
        message: Q,
        send: impl Fn(Rpc<Transport>, Request<Q>) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let settings = self.config.settings(method);
        retried(settings, || {
            let send = |request| send(self.rpc(), request);
            call(
                &self.config,
                method,
                name,
                settings.timeout,
                message.clone(),
                send,
            )
        })
        .await
    }

    fn rpc(&self) -> Rpc<Transport> {
        let mut rpc = Rpc::new(self.transport.clone());
        if let Some(bytes) = self.config.message_size_max {
            rpc = rpc.max_decoding_message_size(bytes);
        }
        for encoding in &self.config.accepts {
            rpc = rpc.accept_compressed(*encoding);
        }
        match self.config.sends {
            Some(encoding) => rpc.send_compressed(encoding),
            None => rpc,
        }
    }
}

impl fmt::Debug for OperationsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationsClient")
            .field("config", &self.config)
            .field("may_wait", &self.may_wait())
            .finish_non_exhaustive()
    }
}

#[expect(dead_code, reason = "proves at compile time what the closures rely on")]
fn answers_are_sent_between_threads(client: &OperationsClient) -> impl Send {
    async move { client.get("").await.map(Response::new) }
}
