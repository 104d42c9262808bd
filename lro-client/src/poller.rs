//! Waiting for one operation.

mod advance;
mod answers;
mod cancel;
mod into_poller;
mod outcome;
mod pace;
mod remote;
mod schedule;
mod set;
mod token;
mod updates;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lro_core::{Operation, UnpackError, pb};
use prost::{Message, Name};
use tokio::time::Instant;
use tonic::Status;

use advance::{Attempt, Mode, Step};
pub use answers::PollAnswer;
use cancel::CancelGuard;
pub use cancel::Cancellation;
pub use into_poller::IntoPoller;
pub use outcome::IncompletePolicy;
pub use set::PollerSet;
pub use token::{ResumeError, ResumeToken};
pub use updates::Updates;

use crate::policy::{ContinueOnTransient, PollingBackoffPolicy, PollingErrorPolicy};
use crate::{OperationsClient, PollingState};
use schedule::Schedule;
use watch::Watch;

/// Waits for an operation to be done, or watches how far it is.
///
/// ```
/// # use prost_types::Timestamp as Progress;
/// # async fn example(operation: lro_core::Operation<(), Progress>, operations: lro_client::OperationsClient) -> Result<(), lro_client::WaitError<(), Progress>> {
/// use std::time::Duration;
/// use lro_client::IntoPoller as _;
///
/// let poller = operation
///     .into_poller(&operations)
///     .time_limit(Duration::from_secs(600));
/// println!("waiting for {}", poller.name());
/// let response = poller.until_done().await?;
/// # Ok(response) }
/// ```
///
/// One is made of the operation that a call has returned, with [`IntoPoller`], or of a name alone,
/// with [`resume`](Self::resume). It does nothing until it is awaited, and it holds nothing on the
/// server: dropping a poller leaves the operation as it is, except with
/// [`cancel_on_drop`](Self::cancel_on_drop).
///
/// [`until_done`](Self::until_done) (or `.await` on the poller) waits for the result,
/// [`until_done_with`](Self::until_done_with) also hands out the metadata on the way,
/// [`next_update`](Self::next_update) does so one change at a time,
/// [`into_stream`](Self::into_stream) makes a stream of them, and [`poll`](Self::poll) asks just
/// once. [`cancel_and_wait`](Self::cancel_and_wait) ends it early.
///
/// Another process resumes the wait with the [`resume_token`](Self::resume_token), or with the
/// [`name`](Self::name) alone. To wait for many operations, give their pollers to a
/// [`PollerSet`](crate::PollerSet), which asks for many at once.
#[must_use = "a poller does nothing until it is awaited"]
pub struct Poller<R, M> {
    operations: OperationsClient,
    name: String,
    operation: Operation<R, M>,
    settings: Settings,
    schedule: Schedule,
    watch: Watch,
    /// Whether the state comes from the server.
    known: bool,
    /// How often the operation may be not found, because it has only just been started.
    not_found_grace: u32,
    last_error: Option<Status>,
    guard: Option<CancelGuard>,
}

#[derive(Clone)]
struct Settings {
    /// `None`: what suits the mode.
    backoff: Option<Arc<dyn PollingBackoffPolicy>>,
    errors: Arc<dyn PollingErrorPolicy>,
    time_limit: Option<Duration>,
    max_wait: Option<Duration>,
    incomplete: IncompletePolicy,
}

/// How often an operation that was just started may be not found.
const NOT_FOUND_GRACE: u32 = 3;

impl<R, M> Poller<R, M> {
    /// A poller for the operation of this name, started earlier or by another process.
    ///
    /// ```
    /// # use prost_types::{Duration as Report, Timestamp as Progress};
    /// # async fn example(operations: lro_client::OperationsClient) -> Result<(), lro_client::WaitError<Report, Progress>> {
    /// use lro_client::Poller;
    ///
    /// let poller = Poller::<Report, Progress>::resume("operations/42", &operations);
    /// let report = poller.until_done().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The types are those of the method that started it. A response of another type is an error
    /// of its own: [`WaitError::is_invalid_response`](crate::WaitError::is_invalid_response).
    pub fn resume(name: impl Into<String>, operations: &OperationsClient) -> Self {
        let name = name.into();
        let operation = pb::Operation {
            name: name.clone(),
            ..Default::default()
        };
        Self::new(name, operation.into(), operations)
    }

    fn started(operation: Operation<R, M>, operations: &OperationsClient) -> Self {
        Self {
            known: true,
            not_found_grace: NOT_FOUND_GRACE,
            ..Self::new(operation.name().to_owned(), operation, operations)
        }
    }

    fn new(name: String, operation: Operation<R, M>, operations: &OperationsClient) -> Self {
        Self {
            operations: operations.clone(),
            name,
            operation,
            settings: Settings {
                backoff: None,
                errors: Arc::new(ContinueOnTransient::default()),
                time_limit: None,
                max_wait: None,
                incomplete: IncompletePolicy::default(),
            },
            schedule: Schedule::default(),
            watch: Watch::default(),
            known: false,
            not_found_grace: 0,
            last_error: None,
            guard: None,
        }
    }

    /// How long a wait may take; without this, as long as the operation does.
    ///
    /// It counts from the first poll of [`until_done`](Self::until_done),
    /// [`until_done_with`](Self::until_done_with) or [`next_update`](Self::next_update), and no
    /// call to the server outlasts it. The last poll is made 0.25 s before the limit (a tenth of
    /// the limit, if that is less), to leave time for the answer. When the limit is reached, the
    /// [error](crate::WaitError::is_timeout) gives the poller back; waiting on has the whole limit
    /// again.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.settings.time_limit = Some(limit);
        self
    }

    /// The pause between polls, if the server does not support WaitOperation.
    ///
    /// Without this, it is 0.25 s growing to 1 s while progress is watched, and 1 s growing to
    /// 60 s otherwise, shortened at random by up to a half. [`until_done`](Self::until_done) does
    /// not ask for it while the server offers WaitOperation.
    pub fn backoff_policy(mut self, policy: impl PollingBackoffPolicy + 'static) -> Self {
        self.settings.backoff = Some(Arc::new(policy));
        self
    }

    /// The policy that decides whether to continue after a failed poll. Default:
    /// [`ContinueOnTransient`].
    pub fn error_policy(mut self, policy: impl PollingErrorPolicy + 'static) -> Self {
        self.settings.errors = Arc::new(policy);
        self
    }

    /// The treatment of an operation that is done without a response or an error:
    /// [`IncompletePolicy::DefaultIfEmpty`] by default.
    ///
    /// ```
    /// # fn example(poller: lro_client::Poller<(), ()>) {
    /// let poller = poller.incomplete_policy(lro_client::IncompletePolicy::Default);
    /// # }
    /// ```
    pub fn incomplete_policy(mut self, policy: IncompletePolicy) -> Self {
        self.settings.incomplete = policy;
        self
    }

    /// The operation's name, with which any process can [`resume`](Self::resume).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The state that was last seen. Of a poller that was made by [`resume`](Self::resume) and has
    /// not asked yet, it is the name alone.
    pub fn operation(&self) -> &Operation<R, M> {
        &self.operation
    }

    /// Deletes the operation: no caller is interested in its result any more. That does not cancel
    /// it. A later poll does not find it.
    ///
    /// # Errors
    ///
    /// As [`OperationsClient::delete`], which this is.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped; it is unknown then whether the server was asked.
    pub async fn delete(&self) -> Result<(), Status> {
        self.operations.delete(&self.name).await
    }

    pub(crate) fn state(&self, now: Instant) -> PollingState {
        self.schedule.state(now)
    }

    /// Returns a poller that replaces this one.
    fn hand_over(&mut self) -> Self {
        Self {
            guard: self.guard.take(),
            ..self.clone()
        }
    }

    /// As it is, ready for a wait of its own.
    pub(crate) fn rewound(mut self) -> Self {
        Self {
            schedule: std::mem::take(&mut self.schedule).rewound(),
            watch: Watch::default(),
            ..self
        }
    }
}

impl<R, M: Message + Name + Default + 'static> Poller<R, M> {
    /// The metadata that was last seen. It stays readable when the operation is done.
    ///
    /// # Errors
    ///
    /// [`UnpackError`] when it is of another type or does not decode. The operation can be waited
    /// for all the same.
    pub fn metadata(&self) -> Result<Option<M>, UnpackError> {
        self.operation.metadata()
    }

    fn metadata_or_warn(&self) -> Option<M> {
        self.metadata().unwrap_or_else(|error| {
            tracing::warn!(name = self.name, %error, "skipping metadata that cannot be decoded");
            None
        })
    }
}

// Written out, because a derive would ask `R` and `M` for the same traits.

impl<R, M> Clone for Poller<R, M> {
    fn clone(&self) -> Self {
        Self {
            operations: self.operations.clone(),
            name: self.name.clone(),
            operation: self.operation.clone(),
            settings: self.settings.clone(),
            schedule: self.schedule.clone(),
            watch: self.watch.clone(),
            known: self.known,
            not_found_grace: self.not_found_grace,
            last_error: self.last_error.clone(),
            guard: None,
        }
    }
}

impl<R, M> fmt::Debug for Poller<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("name", &self.name)
            .field("done", &self.operation.done())
            .field("state", &self.schedule.state(Instant::now()))
            .field("time_limit", &self.settings.time_limit)
            .finish_non_exhaustive()
    }
}
