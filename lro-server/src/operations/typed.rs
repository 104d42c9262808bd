//! The operations of one method, with their types.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use lro_core::store::OperationRecord;
use lro_core::{ListOptions, LongRunningMethod, Operation, OperationName, ParentPattern};
use tonic::Status;

use super::Operations;
use crate::access::Grant;

/// The operations of one long-running rpc, with the types of its response and metadata. See
/// [`Operations::of`].
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_core::{ListOptions, ParentPattern};
/// use lro_server::Operations;
/// # use lro_core::LongRunningMethod;
/// # enum Export {}
/// # impl LongRunningMethod for Export {
/// #     type Request = ();
/// #     type Response = ();
/// #     type Metadata = ();
/// #     const PATH: &'static str = "/exporter.v1.Exporter/Export";
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
///
/// let operations = Operations::new(MemoryStore::new());
/// // `Export` is the type that lro-build writes for the rpc, here in `exporter_methods`.
/// let exports = operations.of::<Export>();
/// let running = ListOptions::new().filter("done = false");
/// let page = exports.list(ParentPattern::default(), &running).await?;
/// for export in page.operations {
///     println!("{}: {:?}", export.name(), export.metadata()?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct OperationsOf<'a, M> {
    operations: &'a Operations,
    method: PhantomData<fn() -> M>,
}

/// One page of the operations of a method. See [`OperationsOf::list`].
///
/// ```
/// use lro_core::LongRunningMethod;
/// use lro_server::PageOf;
///
/// fn print<M: LongRunningMethod>(page: &PageOf<M>) {
///     for operation in &page.operations {
///         println!("{}", operation.name());
///     }
///     if !page.next_page_token.is_empty() {
///         println!("and more");
///     }
/// }
/// ```
#[non_exhaustive]
pub struct PageOf<M: LongRunningMethod> {
    /// The operations, newest first.
    pub operations: Vec<Operation<M::Response, M::Metadata>>,
    /// The token of the next page; empty if this page is the last.
    pub next_page_token: String,
}

impl Operations {
    /// The operations of one rpc, with the types of its response and metadata.
    pub fn of<M: LongRunningMethod>(&self) -> OperationsOf<'_, M> {
        OperationsOf {
            operations: self,
            method: PhantomData,
        }
    }
}

impl<M: LongRunningMethod> OperationsOf<'_, M> {
    /// The operation of that name.
    ///
    /// # Errors
    ///
    /// NOT_FOUND, also for an operation of another method, or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop.
    pub async fn get(
        &self,
        name: &OperationName,
    ) -> Result<Operation<M::Response, M::Metadata>, Status> {
        Ok(self.record(name).await?.to_operation().into())
    }

    /// Waits until the operation has finished, or `timeout` has elapsed, as
    /// [`Operations::wait`] does.
    ///
    /// # Errors
    ///
    /// NOT_FOUND, also for an operation of another method, or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop: the operation does not notice.
    pub async fn wait(
        &self,
        name: &OperationName,
        timeout: Option<Duration>,
    ) -> Result<Operation<M::Response, M::Metadata>, Status> {
        let record = self.record(name).await?;
        if record.state.is_done() {
            return Ok(record.to_operation().into());
        }
        Ok(self.operations.wait(name, timeout).await?.into())
    }

    /// One page of the method's operations directly below a parent, newest first, as
    /// [`Operations::list`] gives it. A [filter](ListOptions::filter) applies besides.
    ///
    /// # Errors
    ///
    /// Those of [`Operations::list`].
    ///
    /// # Cancel safety
    ///
    /// Safe to drop.
    pub async fn list(
        &self,
        parent: ParentPattern,
        options: &ListOptions,
    ) -> Result<PageOf<M>, Status> {
        let grant = Grant::trusted(None);
        let list = self.operations.page(&grant, parent, options, Some(M::PATH));
        let page = list.await?;
        Ok(PageOf {
            operations: page.operations.into_iter().map(Operation::from).collect(),
            next_page_token: page.next_page_token,
        })
    }

    async fn record(&self, name: &OperationName) -> Result<OperationRecord, Status> {
        let grant = Grant::trusted(Some(name));
        let record = self.operations.find(name).await?;
        grant
            .admit(record.filter(|record| record.method == M::PATH))
            .await
    }
}

impl<M> Clone for OperationsOf<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for OperationsOf<'_, M> {}

impl<M: LongRunningMethod> fmt::Debug for OperationsOf<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OperationsOf").field(&M::PATH).finish()
    }
}

impl<M: LongRunningMethod> fmt::Debug for PageOf<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageOf")
            .field("operations", &self.operations)
            .field("next_page_token", &self.next_page_token)
            .finish()
    }
}
