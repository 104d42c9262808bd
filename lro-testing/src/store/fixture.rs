use std::any::Any;
use std::fmt;
use std::sync::Arc;

use lro_core::store::OperationStore;

/// A fresh, empty store for one case, and whatever has to live as long as it.
///
/// A store turns into one by itself; [`keeping`](Self::keeping) is for those that need a folder
/// or a server.
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_testing::store::Fixture;
///
/// struct Folder;
/// let fixture = Fixture::new(MemoryStore::new()).keeping(Folder);
/// # drop(fixture);
/// ```
pub struct Fixture {
    // Dropped first: fields go in this order.
    store: Arc<dyn OperationStore>,
    keep: Vec<Box<dyn Any + Send + Sync>>,
}

impl Fixture {
    /// Of a store.
    pub fn new(store: impl OperationStore) -> Self {
        Self::shared(Arc::new(store))
    }

    /// Of a store that is shared already.
    pub fn shared(store: Arc<dyn OperationStore>) -> Self {
        Self {
            store,
            keep: Vec::new(),
        }
    }

    /// Keeps this until the case is over and its handle of the store is dropped.
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send + Sync) -> Self {
        self.keep.push(Box::new(thing));
        self
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn OperationStore> {
        &self.store
    }
}

impl<S: OperationStore> From<S> for Fixture {
    fn from(store: S) -> Self {
        Self::new(store)
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture")
            .field("store", &self.store)
            .field("keep", &self.keep.len())
            .finish()
    }
}
