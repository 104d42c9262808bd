//! The cloud of the provisioner: names in memory, in the place of a provider.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::Status;

/// The resources that there are. The cluster `sick` is never healthy.
#[derive(Debug, Default)]
pub struct Cloud {
    resources: Mutex<BTreeSet<String>>,
    prints: bool,
}

impl Cloud {
    /// A cloud that prints what happens.
    pub fn printing() -> Self {
        Self {
            prints: true,
            ..Self::default()
        }
    }

    /// The names of the resources.
    pub fn resources(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    /// Creates a resource, unless there is one of that name: so it may happen twice.
    pub(crate) async fn create(&self, name: &str) -> Result<(), Status> {
        the_work().await;
        self.put(name);
        the_work().await;
        Ok(())
    }

    /// Creates a resource at once.
    pub(crate) fn put(&self, name: &str) {
        if self.lock().insert(name.to_owned()) {
            self.note("created", name);
        }
    }

    /// Deletes a resource, if there is one of that name.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Status> {
        the_work().await;
        if self.lock().remove(name) {
            self.note("deleted", name);
        }
        Ok(())
    }

    pub(crate) async fn is_healthy(&self, cluster: &str) -> Result<bool, Status> {
        the_work().await;
        Ok(cluster != "sick")
    }

    fn note(&self, what: &str, name: &str) {
        if self.prints {
            println!("{what} {name}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time that a provider would take.
async fn the_work() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
