use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lro_core::OperationName;
use lro_core::store::{StoreEvent, StoreObserver};
use tokio::sync::watch;

/// A [`StoreObserver`] that keeps what it hears, and that a test can wait on.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use lro_core::store::{MemoryStore, NewOperation, OperationStore, StoreEvent};
/// use lro_core::pack;
/// use lro_testing::EventLog;
///
/// let store = MemoryStore::new();
/// let log = Arc::new(EventLog::new());
/// store.observe(log.clone());
/// let name = "operations/1".parse()?;
/// let new = NewOperation::new(uuid::Uuid::from_u128(1), name, "/s/M", pack(&()));
/// store.start(vec![new]).await?;
/// log.wait_for("it is ready", |event| matches!(event, StoreEvent::Ready { .. })).await;
/// assert_eq!(log.events().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct EventLog {
    events: Mutex<Vec<StoreEvent>>,
    heard: watch::Sender<usize>,
}

impl EventLog {
    /// How long [`wait_for`](Self::wait_for) waits before it fails the test.
    pub const PATIENCE: Duration = Duration::from_secs(20);

    /// An empty log.
    pub fn new() -> Self {
        Self {
            events: Mutex::default(),
            heard: watch::Sender::new(0),
        }
    }

    /// All that was heard, in order.
    pub fn events(&self) -> Vec<StoreEvent> {
        self.lock().clone()
    }

    /// Forgets what was heard.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Waits until an event that `wanted` accepts is there, which may be already so.
    ///
    /// # Panics
    ///
    /// When there is none after [`PATIENCE`](Self::PATIENCE), with `what` in the message.
    pub async fn wait_for(
        &self,
        what: &str,
        mut wanted: impl FnMut(&StoreEvent) -> bool,
    ) -> StoreEvent {
        let mut heard = self.heard.subscribe();
        let search = async {
            loop {
                heard.borrow_and_update();
                let found = self.lock().iter().find(|event| wanted(event)).cloned();
                if let Some(event) = found {
                    return event;
                }
                // Not an error: the sender is in `self`.
                let _ = heard.changed().await;
            }
        };
        match tokio::time::timeout(Self::PATIENCE, search).await {
            Ok(event) => event,
            Err(_) => panic!(
                "no event within {:?}: {what}; heard {self:?}",
                Self::PATIENCE
            ),
        }
    }

    /// Waits for a [`StoreEvent::Changed`] of this operation that `wanted` accepts.
    ///
    /// # Panics
    ///
    /// As [`wait_for`](Self::wait_for) does.
    pub async fn wait_for_change(
        &self,
        of: &OperationName,
        mut wanted: impl FnMut(lro_core::store::OperationState, bool) -> bool,
    ) -> StoreEvent {
        let what = format!("{of} has changed");
        self.wait_for(&what, |event| match event {
            StoreEvent::Changed {
                name,
                state,
                deleted,
                ..
            } => name == of && wanted(*state, *deleted),
            _ => false,
        })
        .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<StoreEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for EventLog {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&*self.lock()).finish()
    }
}

impl StoreObserver for EventLog {
    fn on_event(&self, event: &StoreEvent) {
        self.lock().push(event.clone());
        self.heard.send_modify(|heard| *heard += 1);
    }
}
