mod builder;
mod list;
mod promises;
#[cfg(feature = "inspection")]
mod sequence;
mod typed;

use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use lro_core::store::{Command, OperationRecord, OperationStore, Update};
use lro_core::{OperationName, pb};
use tokio::time::Instant;
use tonic::Status;

pub use builder::OperationsBuilder;
#[cfg(feature = "inspection")]
pub(crate) use list::PAGE_OVERHEAD;
pub(crate) use list::{MaxMessageLen, list_request};
#[cfg(feature = "inspection")]
pub(crate) use sequence::SequenceList;
pub use typed::{OperationsOf, PageOf};

use crate::access::{Caller, Gate, Grant, Principal};
use crate::engine::Engine;
use crate::engine::deadline::later;
use crate::engine::update::update_one;
use crate::handler::registration::MethodOptions;
use crate::page_token::PageTokens;
use crate::rpc::error::{not_found, store_failed};
use crate::steps::DeclaredPromise;

/// How long a waiter on a new operation listens before it reads the store. Most short operations
/// finish within this time.
const SHORT_LIFE: Duration = Duration::from_millis(20);

/// The operations of a server: it starts, gets, lists, waits for, cancels and deletes them. It is
/// cheap to clone.
///
/// Its own methods need no permission. The gRPC service that [`service`](Self::service) returns asks
/// the [`Authorizer`](crate::access::Authorizer); without one, every caller may do everything.
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_server::Operations;
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let operations = Operations::new(MemoryStore::new());
/// let missing = operations.get(&"operations/1".parse()?).await.unwrap_err();
/// assert_eq!(missing.code(), tonic::Code::NotFound);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Operations {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Arc<Engine>,
    gate: Gate,
    page_tokens: PageTokens,
    /// The descriptor sets of the list policies, for reflection.
    descriptor_sets: Vec<Vec<u8>>,
    methods: RwLock<HashMap<&'static str, MethodOptions>>,
    #[cfg(feature = "inspection")]
    servers: crate::inspection::Servers,
}

impl Operations {
    /// The operations in this store, with default settings.
    pub fn new(store: impl OperationStore) -> Self {
        Self::builder(store).build()
    }

    /// A builder of the operations in this store, for other settings.
    pub fn builder(store: impl OperationStore) -> OperationsBuilder {
        OperationsBuilder::new(store)
    }

    /// The operation of that name.
    ///
    /// # Errors
    ///
    /// NOT_FOUND, or the store's error. A failed operation is not an error of this call.
    pub async fn get(&self, name: &OperationName) -> Result<pb::Operation, Status> {
        self.get_as(&Grant::trusted(Some(name)), name).await
    }

    pub(crate) async fn get_as(
        &self,
        grant: &Grant<'_>,
        name: &OperationName,
    ) -> Result<pb::Operation, Status> {
        Ok(self.record(grant, name).await?.to_operation())
    }

    /// Waits until the operation has finished, `timeout` has passed, or the server
    /// [closes](Self::close), and returns the latest state. If the number of waits exceeds the
    /// [`Limits`](crate::Limits), it returns the state immediately.
    ///
    /// # Errors
    ///
    /// NOT_FOUND, also if the operation is deleted meanwhile, or the store's error.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop, without effect on the operation.
    pub async fn wait(
        &self,
        name: &OperationName,
        timeout: Option<Duration>,
    ) -> Result<pb::Operation, Status> {
        let grant = Grant::trusted(Some(name));
        self.wait_as(&grant, name, timeout).await
    }

    pub(crate) async fn wait_as(
        &self,
        grant: &Grant<'_>,
        name: &OperationName,
        timeout: Option<Duration>,
    ) -> Result<pb::Operation, Status> {
        let engine = &self.inner.engine;
        let longest = engine.limits().max_wait;
        let timeout = timeout.map_or(longest, |timeout| timeout.min(longest));
        let until = later(Instant::now(), timeout);
        let Some(subscription) = engine.waiters().subscribe(name) else {
            // Too many wait already: the latest state is as good an answer as a wait that is over.
            return Box::pin(self.get_as(grant, name)).await;
        };
        // Without an authorizer, a waiter needs no record to accept an outcome.
        let mut may_be_young = grant.is_open();
        loop {
            // Listening starts before the state is read: nothing in between is missed.
            let news = subscription.news();
            let changed = news.changed();
            tokio::pin!(changed);
            changed.as_mut().enable();
            // Neither the record nor the reading of it is kept while the call waits.
            let over = Instant::now() >= until || engine.is_closing();
            let look = |record: OperationRecord| match over || record.state.is_done() {
                true => ControlFlow::Break(record.to_operation()),
                false => ControlFlow::Continue(record.uid),
            };
            let may_be_young = std::mem::take(&mut may_be_young) && !over;
            let (uid, gap) = match may_be_young.then(|| subscription.young()).flatten() {
                Some(uid) => (uid, Some(SHORT_LIFE)),
                None => match Box::pin(self.record(grant, name)).await.map(look)? {
                    ControlFlow::Break(operation) => return Ok(operation),
                    // Asked each time: a store that stops hearing of others is looked into more often.
                    ControlFlow::Continue(uid) => (uid, engine.store().event_gap()),
                },
            };
            let again = gap.map_or(until, |gap| until.min(later(Instant::now(), gap)));
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(again) => {}
            }
            // The outcome of this very operation arrived: there is nothing to read.
            if let Some(end) = news.end().filter(|end| end.uid == uid) {
                let end = Box::pin(grant.admit(Some(end.clone()))).await?;
                return Ok(end.to_operation());
            }
        }
    }

    /// Requests the cancellation of the operation, durably. Its state shows the outcome; a finished
    /// operation does not change. An operation that was deleted while it runs can be cancelled,
    /// too.
    ///
    /// # Errors
    ///
    /// NOT_FOUND, or the store's failure.
    pub async fn cancel(&self, name: &OperationName) -> Result<(), Status> {
        let grant = Grant::trusted(Some(name));
        self.update(&grant, name, Command::cancel()).await
    }

    /// Deletes the operation, whose result no caller needs any more. A running operation disappears
    /// immediately, and its record is removed when it finishes. Deleting does not cancel it unless
    /// its method says so ([`OnDelete`](crate::OnDelete)); it can still be cancelled by its name.
    ///
    /// # Errors
    ///
    /// NOT_FOUND, also for the second deletion, or the store's error.
    pub async fn delete(&self, name: &OperationName) -> Result<(), Status> {
        let grant = Grant::trusted(Some(name));
        self.update(&grant, name, Command::delete()).await
    }

    /// Answers all present and future waiters with the latest state. Call it when the server shuts
    /// down, because otherwise the shutdown waits for them.
    ///
    /// ```no_run
    /// # async fn example(operations: lro_server::Operations, router: tonic::transport::server::Router, addr: std::net::SocketAddr) {
    /// let shutdown = {
    ///     let operations = operations.clone();
    ///     async move {
    ///         tokio::signal::ctrl_c().await.ok();
    ///         operations.close();
    ///     }
    /// };
    /// router.serve_with_shutdown(addr, shutdown).await.ok();
    /// # }
    /// ```
    pub fn close(&self) {
        self.inner.engine.close();
    }

    /// Authenticates a caller by the [`Authorizer`](crate::access::Authorizer): for a `prepare`
    /// function, or for a plain rpc.
    ///
    /// # Errors
    ///
    /// The authorizer's error, usually UNAUTHENTICATED.
    pub async fn principal<T>(&self, request: &tonic::Request<T>) -> Result<Principal, Status> {
        self.gate().authenticate(&Caller::of(request, "")).await
    }

    /// Whether an [`Authorizer`](crate::access::Authorizer) decides on the calls of other
    /// processes. Without one, each caller may do everything.
    pub fn has_authorizer(&self) -> bool {
        self.gate().asks()
    }

    /// Describes the services whose operations are served, one line each: the bindings of their
    /// names, and the methods they offer.
    pub fn describe(&self) -> String {
        let services = self.gate().services().iter();
        services.map(|service| format!("{service}\n")).collect()
    }

    /// The descriptor sets of [`OperationsBuilder::file_descriptor_set`], for what decodes the
    /// payloads of operations.
    pub fn descriptor_sets(&self) -> &[Vec<u8>] {
        &self.inner.descriptor_sets
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.inner.engine
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    /// The paths of the methods that this process has started operations of.
    #[cfg(feature = "inspection")]
    pub(crate) fn started_methods(&self) -> Vec<&'static str> {
        let methods = &self.inner.methods;
        let methods = methods.read().unwrap_or_else(PoisonError::into_inner);
        methods.keys().copied().collect()
    }

    /// The servers of this process that serve their rpcs.
    #[cfg(feature = "inspection")]
    pub(crate) fn servers(&self) -> &crate::inspection::Servers {
        &self.inner.servers
    }

    pub(crate) async fn record(
        &self,
        grant: &Grant<'_>,
        name: &OperationName,
    ) -> Result<OperationRecord, Status> {
        let record = self.find(name).await?;
        grant.admit(record).await
    }

    pub(crate) async fn find(
        &self,
        name: &OperationName,
    ) -> Result<Option<OperationRecord>, Status> {
        let record = self.engine().store().get(name).await;
        record.map_err(|error| store_failed(&error))
    }

    pub(crate) async fn update(
        &self,
        grant: &Grant<'_>,
        name: &OperationName,
        command: Command,
    ) -> Result<(), Status> {
        if name.is_watch() {
            return Err(not_found(name));
        }
        let update = if grant.is_open() {
            Update::by_name(name.clone(), command)
        } else {
            // By uid: another operation may have the name by the time of the write.
            let mut record = self.find(name).await?;
            if record.is_none() && matches!(command, Command::Cancel(_)) {
                let deleted = self.engine().store().get_deleted(name).await;
                record = deleted.map_err(|error| store_failed(&error))?;
            }
            let record = grant.admit(record).await?;
            Update::by_uid(record.name, record.uid, command)
        };
        let answer = update_one(&**self.engine().store(), update).await;
        match answer.map_err(|error| store_failed(&error))? {
            Ok(_) => Ok(()),
            Err(_) => grant.admit(None::<OperationRecord>).await.map(|_| ()),
        }
    }

    /// How operations of the method at this path are run, as a worker of its host says.
    pub(crate) fn learn_options(&self, path: &'static str, options: &MethodOptions) {
        let mut methods = self.inner.methods.write();
        let methods = methods.as_mut().unwrap_or_else(|error| error.get_mut());
        methods.entry(path).or_insert_with(|| options.clone());
    }

    /// The promises that the method at this path declares, as far as this process hosts it.
    pub(crate) fn promises_of(&self, path: &str) -> Vec<DeclaredPromise> {
        let methods = self
            .inner
            .methods
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        methods
            .get(path)
            .map_or_else(Vec::new, |options| options.promises.clone())
    }

    /// Whether a method that this process hosts declares promises.
    fn declares_promises(&self) -> bool {
        let methods = self
            .inner
            .methods
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        methods.values().any(|options| !options.promises.is_empty())
    }

    /// How operations of the method at this path are run; learned from its host once.
    pub(crate) fn options_of(
        &self,
        path: &'static str,
        of_host: fn() -> Vec<(&'static str, MethodOptions)>,
    ) -> MethodOptions {
        let methods = &self.inner.methods;
        let known = methods.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(options) = known.get(path) {
            return options.clone();
        }
        drop(known);
        let mut methods = methods.write().unwrap_or_else(PoisonError::into_inner);
        methods.extend(of_host());
        methods.get(path).cloned().unwrap_or_default()
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations")
            .field("store", self.engine().store())
            .finish_non_exhaustive()
    }
}
