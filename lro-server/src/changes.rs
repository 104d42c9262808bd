//! The changes of operations, as a stream: for services that push them to their callers.

mod hub;
mod subscription;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lro_core::changes::{ChangeSignal, ChangeSource};
use lro_core::{OperationName, Reason};
use tonic::Status;

pub(crate) use hub::Hub;
pub use subscription::{ChangeSubscription, Changed};

use crate::engine::Engine;
use crate::operations::Operations;

/// The changes of a server's operations, as they happen. A cheap clone of [`Operations::changes`].
///
/// A subscriber follows some operations by name, or all. It receives the names of those that have
/// changed since it last asked, each once, however often they changed: a slow subscriber gets fewer
/// names and never old ones. It then reads the operations, with the permission of its own caller:
/// names alone need none, so keep them from callers that may not get the operations.
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_server::Operations;
/// use lro_server::changes::Changed;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # use lro_core::store::NewOperation;
/// # use lro_server::lro_core::store::OperationStore as _;
/// # let store = MemoryStore::new();
/// # let name: lro_server::lro_core::OperationName = "operations/1".parse()?;
/// # let new = NewOperation::new(uuid::Uuid::from_u128(1), name.clone(), "/s/M", Default::default());
/// # store.start(vec![new]).await?.remove(0)?;
/// # let operations = Operations::new(store);
/// let mut changes = operations.changes().follow([name.clone()])?;
/// operations.cancel(&name).await?;
/// assert_eq!(changes.next().await, Changed::Operations(vec![name]));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Changes {
    engine: Arc<Engine>,
}

impl Operations {
    /// The changes of these operations, for services that push them to their callers.
    pub fn changes(&self) -> Changes {
        Changes {
            engine: self.engine().clone(),
        }
    }
}

impl Changes {
    /// The most operations that one subscriber follows by name.
    pub const MAX_FOLLOWED: usize = 1_000;

    /// Follows the operations of these names from now on, whether they exist or not.
    ///
    /// Follow first and read then: a change in between is received.
    ///
    /// # Errors
    ///
    /// RESOURCE_EXHAUSTED for more names than [`MAX_FOLLOWED`](Self::MAX_FOLLOWED), or as many
    /// subscribers as [`Limits::max_change_subscribers`](crate::Limits::max_change_subscribers).
    pub fn follow(
        &self,
        names: impl IntoIterator<Item = OperationName>,
    ) -> Result<ChangeSubscription, Status> {
        let mut subscription = self.subscribe(false)?;
        subscription.set_followed(names)?;
        Ok(subscription)
    }

    /// Follows all operations from now on, those that start later included. An operation that another
    /// process starts is received with its next change, or with a [`Changed::Resync`] after
    /// [`max_delay`](Self::max_delay).
    ///
    /// If more than [`MAX_FOLLOWED`](Self::MAX_FOLLOWED) change before the subscriber asks again, it
    /// receives [`Changed::Resync`].
    ///
    /// # Errors
    ///
    /// RESOURCE_EXHAUSTED for as many subscribers as
    /// [`Limits::max_change_subscribers`](crate::Limits::max_change_subscribers).
    pub fn follow_all(&self) -> Result<ChangeSubscription, Status> {
        self.subscribe(true)
    }

    fn subscribe(&self, all: bool) -> Result<ChangeSubscription, Status> {
        let hub = self.engine.changes();
        match hub.subscribe(all) {
            Some(subscriber) => Ok(ChangeSubscription::new(&self.engine, subscriber)),
            None => {
                let max = hub.max_subscribers();
                let message = format!(
                    "the server has {max} subscribers to changes, its limit; try again later, or \
                     raise Limits::max_change_subscribers"
                );
                Err(Reason::LimitExceeded.status(message, [("limit", &*max.to_string())]))
            }
        }
    }

    /// How long a change by another process may go without a notice. `None` if the store has no other
    /// processes. Subscribers receive [`Changed::Resync`] at this interval.
    pub fn max_delay(&self) -> Option<Duration> {
        self.engine.store().event_gap()
    }
}

/// For a gateway on the server's port.
impl ChangeSource for Changes {
    fn follow(&self, name: &OperationName) -> Option<Box<dyn ChangeSignal>> {
        let followed = Changes::follow(self, [name.clone()]).ok()?;
        Some(Box::new(followed))
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes")
    }
}
