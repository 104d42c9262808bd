//! One subscriber's view of the changes.

use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lro_core::changes::{ChangeSignal, Signal};
use lro_core::{OperationName, Reason};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use super::Changes;
use super::hub::Subscriber;
use crate::engine::Engine;
use crate::engine::deadline::later;

/// A subscriber to changes. Dropping it ends the subscription. See [`Changes`].
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_server::Operations;
/// use lro_server::changes::{Changed, ChangeSubscription};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let operations = Operations::new(MemoryStore::new());
/// let mut all: ChangeSubscription = operations.changes().follow_all()?;
/// operations.close();
/// assert_eq!(all.next().await, Changed::Closing);
/// # Ok::<(), tonic::Status>(()) }).unwrap();
/// ```
pub struct ChangeSubscription {
    engine: Arc<Engine>,
    subscriber: Arc<Subscriber>,
    followed: BTreeSet<OperationName>,
    /// Where other processes change operations: when to read again what their events may not tell.
    again: Option<Pin<Box<Sleep>>>,
}

/// The changes since a subscriber last asked.
///
/// ```
/// use lro_server::changes::{Changed, ChangeSubscription};
///
/// # async fn read(_name: lro_core::OperationName) {}
/// # async fn read_all() {}
/// # async fn example(mut changes: ChangeSubscription) {
/// loop {
///     match changes.next().await {
///         Changed::Operations(names) => {
///             for name in names {
///                 read(name).await;
///             }
///         }
///         Changed::Closing => break,
///         _ => read_all().await,
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changed {
    /// These operations have changed, started or disappeared.
    Operations(Vec<OperationName>),
    /// Any operation that the subscriber follows may have changed: read all of them again.
    Resync,
    /// The server shuts down. No later change is received: read a last time.
    Closing,
}

impl ChangeSubscription {
    pub(super) fn new(engine: &Arc<Engine>, subscriber: Arc<Subscriber>) -> Self {
        Self {
            engine: engine.clone(),
            subscriber,
            followed: BTreeSet::new(),
            again: None,
        }
    }

    /// Waits for the next changes.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop: no change is lost.
    pub async fn next(&mut self) -> Changed {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`next`](Self::next), for use in a hand-written future.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Changed> {
        if let Poll::Ready(changed) = self.subscriber.poll(cx) {
            return Poll::Ready(changed);
        }
        // Asked each time: a store that stops receiving events of others says a shorter one.
        let Some(gap) = self.engine.store().event_gap() else {
            return Poll::Pending;
        };
        let again = self
            .again
            .get_or_insert_with(|| Box::pin(sleep_until(later(Instant::now(), gap))));
        let soonest = later(Instant::now(), gap);
        if again.deadline() > soonest {
            again.as_mut().reset(soonest);
        }
        match again.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.again = None;
                Poll::Ready(Changed::Resync)
            }
        }
    }

    /// Follows these operations in place of the earlier ones.
    ///
    /// # Errors
    ///
    /// RESOURCE_EXHAUSTED for more than [`Changes::MAX_FOLLOWED`] names; then nothing changes.
    pub fn set_followed(
        &mut self,
        names: impl IntoIterator<Item = OperationName>,
    ) -> Result<(), Status> {
        let mut wanted = BTreeSet::new();
        for name in names {
            wanted.insert(name);
            if wanted.len() > Changes::MAX_FOLLOWED {
                let max = Changes::MAX_FOLLOWED.to_string();
                let message = format!("a subscriber follows at most {max} operations");
                return Err(Reason::LimitExceeded.status(message, [("limit", &*max)]));
            }
        }
        let hub = self.engine.changes();
        for name in self.followed.difference(&wanted) {
            hub.unfollow(&self.subscriber, name);
        }
        for name in wanted.difference(&self.followed) {
            hub.follow(&self.subscriber, name.clone());
        }
        self.followed = wanted;
        Ok(())
    }

    /// Receives [`Changed::Resync`] next, for a subscriber that has lost its place.
    pub fn resync(&mut self) {
        self.subscriber.resync();
    }
}

impl ChangeSignal for ChangeSubscription {
    fn poll_signal(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        self.poll_next(cx).map(|changed| match changed {
            Changed::Closing => Signal::Closing,
            _ => Signal::MayHaveChanged,
        })
    }
}

impl Drop for ChangeSubscription {
    fn drop(&mut self) {
        let hub = self.engine.changes();
        for name in &self.followed {
            hub.unfollow(&self.subscriber, name);
        }
        hub.unsubscribe(&self.subscriber);
    }
}

impl fmt::Debug for ChangeSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeSubscription")
            .field("followed", &self.followed.len())
            .finish_non_exhaustive()
    }
}
