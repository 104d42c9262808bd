//! Signals that an operation may have changed, between a server and a gateway that know nothing of
//! each other.
//!
//! A server puts [`OperationChanges`] into the extensions of the HTTP requests that it passes on. A
//! gateway that pushes changes to its clients finds them there, and reads an operation again after each
//! signal. Without them it polls.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::name::OperationName;

/// Signals changes of operations: implemented by a server.
///
/// ```
/// use lro_core::OperationName;
/// use lro_core::changes::{ChangeSignal, ChangeSource};
///
/// /// A server that has no room for followers.
/// struct Full;
///
/// impl ChangeSource for Full {
///     fn follow(&self, _name: &OperationName) -> Option<Box<dyn ChangeSignal>> {
///         None
///     }
/// }
/// ```
pub trait ChangeSource: Send + Sync {
    /// Follows an operation from now on. `None` if as many followers exist as the server allows.
    ///
    /// Follow first and read then: a change in between is signalled.
    fn follow(&self, name: &OperationName) -> Option<Box<dyn ChangeSignal>>;
}

/// The signals of one operation. Dropping it ends them.
///
/// ```
/// use std::future::poll_fn;
/// use std::task::{Context, Poll};
///
/// use lro_core::changes::{ChangeSignal, Signal};
///
/// /// A server that is about to close.
/// struct Closing;
///
/// impl ChangeSignal for Closing {
///     fn poll_signal(&mut self, _cx: &mut Context<'_>) -> Poll<Signal> {
///         Poll::Ready(Signal::Closing)
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let mut signal: Box<dyn ChangeSignal> = Box::new(Closing);
/// assert_eq!(poll_fn(|cx| signal.poll_signal(cx)).await, Signal::Closing);
/// # });
/// ```
pub trait ChangeSignal: Send {
    /// Completes when the operation may have changed since the last signal. Changes that come close
    /// together may be one signal, and a signal may come without a change.
    fn poll_signal(&mut self, cx: &mut Context<'_>) -> Poll<Signal>;
}

/// A signal.
///
/// ```
/// use lro_core::changes::Signal;
///
/// fn is_last(signal: Signal) -> bool {
///     signal == Signal::Closing
/// }
/// assert!(!is_last(Signal::MayHaveChanged));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// The operation may have changed: read it again.
    MayHaveChanged,
    /// The server shuts down: read the operation once more, and tell the client to connect again.
    Closing,
}

/// A [`ChangeSource`] in the extensions of HTTP requests. A cheap clone.
///
/// ```
/// use std::sync::Arc;
///
/// use lro_core::OperationName;
/// use lro_core::changes::{ChangeSignal, ChangeSource, OperationChanges};
///
/// fn changes_of(server: impl ChangeSource + 'static) -> OperationChanges {
///     OperationChanges::new(Arc::new(server))
/// }
///
/// fn watch(changes: &OperationChanges, name: &OperationName) -> Option<Box<dyn ChangeSignal>> {
///     changes.follow(name)
/// }
/// ```
#[derive(Clone)]
pub struct OperationChanges(Arc<dyn ChangeSource>);

impl OperationChanges {
    /// The changes of this source.
    pub fn new(source: Arc<dyn ChangeSource>) -> Self {
        Self(source)
    }

    /// Follows an operation, see [`ChangeSource::follow`].
    pub fn follow(&self, name: &OperationName) -> Option<Box<dyn ChangeSignal>> {
        self.0.follow(name)
    }
}

impl fmt::Debug for OperationChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperationChanges")
    }
}
