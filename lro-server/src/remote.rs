//! Other servers, on which bodies start children.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use lro_core::{OperationName, RemoteOperations};

/// Another server of `google.longrunning.Operations`, on which bodies start
/// [children](crate::OperationContext::child).
///
/// ```
/// use lro_server::Remote;
/// # use lro_core::RemoteOperations;
/// # fn example(client: impl RemoteOperations, operations: &lro_server::Operations) {
/// // `client` is an `lro_client::OperationsClient` for that server.
/// let compute = Remote::new("google-compute", client);
/// let worker = lro_server::Worker::builder(operations).remote(&compute);
/// # }
/// ```
///
/// A child there is watched by an operation of the engine's own, which waits for its end, forwards a cancellation, and
/// is stored with its parent. The watches run in a [worker that knows the server](crate::WorkerBuilder::remote), apart
/// from the bodies: up to 10,000 of them, with leases of 5 min. No list shows them.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    name: String,
    path: &'static str,
    client: Arc<dyn RemoteOperations>,
    dedup_window: Duration,
}

impl Remote {
    /// How long a server remembers request ids unless [`dedup_window`](Self::dedup_window) says something else: 50 min.
    /// Google's servers remember them for at least 60 min.
    pub const DEFAULT_DEDUP_WINDOW: Duration = Duration::from_secs(50 * 60);

    /// The server that `client` reaches.
    ///
    /// Stored operations name it by `name`, so the name must stay the same as long as there are children on it: 1 to 63
    /// lowercase letters, digits and `-`.
    pub fn new(name: impl Into<String>, client: impl RemoteOperations) -> Self {
        let name = name.into();
        Self(Arc::new(Inner {
            path: interned(format!("{}{name}", OperationName::WATCH_METHODS)),
            name,
            client: Arc::new(client),
            dedup_window: Self::DEFAULT_DEDUP_WINDOW,
        }))
    }

    /// How long the server remembers the request ids of starts.
    ///
    /// The start of a child whose answer was lost is repeated within this time, with the same request id (AIP-155).
    /// After it, the child fails with ABORTED, `STEP_INTERRUPTED`, since a repetition could start a second one. Set
    /// `Duration::ZERO` for a server without request ids. A server of this framework forgets an id when the operation is
    /// removed: when its method's `retain` is over after its end, or a caller deletes it.
    #[must_use]
    pub fn dedup_window(self, dedup_window: Duration) -> Self {
        Self(Arc::new(Inner {
            name: self.0.name.clone(),
            client: self.0.client.clone(),
            path: self.0.path,
            dedup_window,
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn client(&self) -> &Arc<dyn RemoteOperations> {
        &self.0.client
    }

    pub(crate) fn window(&self) -> Duration {
        self.0.dedup_window
    }

    /// The method of its watches.
    pub(crate) fn path(&self) -> &'static str {
        self.0.path
    }

    /// Whether its name is one that a stored operation may have.
    pub(crate) fn has_valid_name(&self) -> bool {
        let is_allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        (1..=63).contains(&self.0.name.len()) && self.0.name.bytes().all(is_allowed)
    }

    /// The name of the server whose operations the method at this path watches.
    pub(crate) fn watched_by(path: &str) -> Option<&str> {
        path.strip_prefix(OperationName::WATCH_METHODS)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("name", &self.0.name)
            .field("client", &self.0.client)
            .field("dedup_window", &self.0.dedup_window)
            .finish()
    }
}

/// The same path for all remotes of a name: methods of a worker live as long as the program.
fn interned(path: String) -> &'static str {
    static PATHS: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut paths = PATHS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = paths.get(&*path) {
        return path;
    }
    let path: &'static str = path.leak();
    paths.insert(path);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nowhere;

    #[async_trait::async_trait]
    impl RemoteOperations for Nowhere {
        async fn until_done(
            &self,
            _: &str,
            _: &(dyn for<'o> Fn(&'o lro_core::pb::Operation) + Send + Sync),
        ) -> Result<lro_core::pb::Operation, tonic::Status> {
            std::future::pending().await
        }

        async fn cancel(&self, _: &str) -> Result<(), tonic::Status> {
            std::future::pending().await
        }
    }

    #[test]
    fn names_are_checked_and_paths_are_shared() {
        for (name, is_valid) in [
            ("google-compute", true),
            ("a1", true),
            ("", false),
            ("Google", false),
            ("a/b", false),
            (&"x".repeat(64), false),
        ] {
            assert_eq!(
                Remote::new(name, Nowhere).has_valid_name(),
                is_valid,
                "{name}"
            );
        }
        let (one, two) = (Remote::new("a", Nowhere), Remote::new("a", Nowhere));
        assert!(std::ptr::eq(one.path(), two.path()));
    }
}
