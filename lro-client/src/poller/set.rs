//! Waiting for many operations.

mod asking;
mod entry;
mod listing;
mod parent;
mod timeline;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use prost::{Message, Name};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Poller;
use crate::{OperationsClient, PollingBackoffPolicy, WaitError};
use asking::Answer;
use entry::{Ended, Entry, NamedEnd, parent_of};
use parent::Parent;
use timeline::{Event, Timeline};

/// Waits for many operations at once, with far fewer calls than separate pollers.
///
/// ```
/// # use prost_types::Timestamp as Report;
/// # async fn example(
/// #     started: Vec<lro_client::Operation<Report, ()>>,
/// #     operations: lro_client::OperationsClient,
/// # ) {
/// use lro_client::{IntoPoller as _, PollerSet};
///
/// let mut set = PollerSet::new(&operations);
/// for operation in started {
///     set.push(operation.into_poller(&operations));
/// }
/// while let Some((name, result)) = set.next().await {
///     match result {
///         Ok(report) => println!("{name}: {report}"),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # }
/// ```
///
/// The set returns results in the order in which the operations finish, each with the operation's
/// name. You can push more operations at any time. The set is also a [`Stream`], which ends when
/// the set is empty.
///
/// # Calls
///
/// * For few operations, up to the [concurrency](Self::concurrency), the set calls WaitOperation
///   for each, if the server offers it.
/// * For 16 or more ([`list_from`](Self::list_from)) operations below one parent, it calls
///   ListOperations with pages of 1,000, in rounds 1 s apart, and up to 60 s apart while nothing
///   changes. The set calls GetOperation for operations that the list does not show.
/// * The set calls GetOperation for each operation, at the pace of its poller, in three cases: the
///   server rejects ListOperations; the parent has many other operations, so that a round of pages
///   costs more than a quarter of the single calls; or the names do not end in `operations/{id}`.
///
/// The concurrency limits the calls in flight, not counting waits. Parents take turns; below one
/// parent, the polls that are due first come first. Each poller keeps its own time limit and
/// policies, except that the set decides the pauses between rounds. The set's memory holds its
/// pollers, and one page for each list in flight.
///
/// # Cancel safety
///
/// The future of [`next`](Self::next) can be dropped, and the method called again: nothing is lost.
/// The set makes calls only while it is read. Dropping the set drops its pollers.
#[must_use = "a set does nothing until it is read"]
pub struct PollerSet<R, M> {
    operations: OperationsClient,
    settings: Settings,
    entries: HashMap<Arc<str>, Entry<R, M>>,
    parents: HashMap<Arc<str>, Parent>,
    timeline: Timeline,
    /// Parents with something to ask, in the order of their turns.
    turns: VecDeque<Arc<str>>,
    calls: FuturesUnordered<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    waits: usize,
    calls_made: u64,
    /// How many parents there were.
    epochs: u64,
    ended: VecDeque<Ended<R, M>>,
    sleep: Option<Pin<Box<Sleep>>>,
}

struct Settings {
    concurrency: usize,
    list_from: usize,
    list_filter: String,
    /// `None`: [`listing`]'s own.
    backoff: Option<Arc<dyn PollingBackoffPolicy>>,
}

impl<R, M> PollerSet<R, M> {
    /// The default of [`concurrency`](Self::concurrency): 16 calls in flight.
    pub const DEFAULT_CONCURRENCY: usize = 16;
    /// The default of [`list_from`](Self::list_from): 16 operations below one parent.
    pub const DEFAULT_LIST_FROM: usize = 16;

    /// Creates an empty set, which lists through `operations`. All pollers must belong to the same
    /// service.
    pub fn new(operations: &OperationsClient) -> Self {
        Self {
            operations: operations.clone(),
            settings: Settings {
                concurrency: Self::DEFAULT_CONCURRENCY,
                list_from: Self::DEFAULT_LIST_FROM,
                list_filter: String::new(),
                backoff: None,
            },
            entries: HashMap::new(),
            parents: HashMap::new(),
            timeline: Timeline::default(),
            turns: VecDeque::new(),
            calls: FuturesUnordered::new(),
            waits: 0,
            calls_made: 0,
            epochs: 0,
            ended: VecDeque::new(),
            sleep: None,
        }
    }

    /// Sets the maximum number of calls in flight, and the maximum number of operations to wait for
    /// on the server. The two add up. Default: [`Self::DEFAULT_CONCURRENCY`].
    pub fn concurrency(mut self, calls: NonZeroUsize) -> Self {
        self.settings.concurrency = calls.get();
        self
    }

    /// Sets the number of operations below one parent from which the set uses ListOperations.
    /// Default: [`Self::DEFAULT_LIST_FROM`]. `usize::MAX` disables lists.
    pub fn list_from(mut self, operations: usize) -> Self {
        self.settings.list_from = operations.max(1);
        self
    }

    /// Sets the filter of the lists, in the server's dialect. It must match all operations of the set, also
    /// finished ones. Default: no filter. A filter helps if the parent has many other operations.
    pub fn list_filter(mut self, filter: impl Into<String>) -> Self {
        self.settings.list_filter = filter.into();
        self
    }

    /// How long to pause between rounds of lists: 1 s growing to 60 s by default, shortened at
    /// random by up to a half. [`PollingState::polls`](crate::PollingState::polls) is the number
    /// of rounds since an operation was last pushed or seen to end.
    pub fn backoff_policy(mut self, policy: impl PollingBackoffPolicy + 'static) -> Self {
        self.settings.backoff = Some(Arc::new(policy));
        self
    }

    /// The number of operations to wait for, plus the number of results not taken yet.
    pub fn len(&self) -> usize {
        self.entries.len() + self.ended.len()
    }

    /// Whether there is no operation to wait for and no result to take.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of calls that the set has made, without retries.
    pub fn calls(&self) -> u64 {
        self.calls_made
    }

    /// Adds an operation. Its time limit starts now.
    ///
    /// The set holds one poller for each name: pushing another returns the previous one.
    pub fn push(&mut self, poller: Poller<R, M>) -> Option<Poller<R, M>> {
        let before = self.remove(poller.name());
        let now = Instant::now();
        let name: Arc<str> = poller.name().into();
        let mut poller = poller.rewound();
        poller.begin();
        if poller.operation.done() {
            self.ended.push_back(Ended::new(poller, None));
            return before;
        }
        let key = parent_of(&name).unwrap_or_default();
        if !self.parents.contains_key(key) {
            self.epochs += 1;
            let parent = Parent::new(!key.is_empty(), self.epochs, now);
            self.parents.insert(key.into(), parent);
        }
        let key = match self.parents.get_key_value(key) {
            Some((key, _)) => key.clone(),
            None => key.into(),
        };
        let last = poller.schedule.last_poll();
        if let Some(at) = last {
            self.timeline.insert(at, Event::Last(name.clone()));
        }
        let mut entry = Entry::new(poller, key.clone(), last);
        if let Some(parent) = self.parents.get_mut(&key) {
            parent.names.insert(name.clone());
            entry.seen = parent.round;
        }
        self.entries.insert(name.clone(), entry);
        self.on_push(&key, &name, now);
        before
    }

    /// Removes an operation, and returns its poller.
    pub fn remove(&mut self, name: &str) -> Option<Poller<R, M>> {
        let (_, entry) = self.entries.remove_entry(name)?;
        self.forget(name, &entry);
        Some(entry.poller)
    }
}

impl<R: Message + Name + Default + 'static, M: 'static> PollerSet<R, M> {
    /// Waits for the next operation to finish, and returns its name and result; `None` if no
    /// operation is left.
    ///
    /// # Errors
    ///
    /// The result is that of [`Poller::until_done`]. A [`WaitError`] that returns a poller has
    /// removed it from the set: [`push`](Self::push) it again to continue.
    pub async fn next(&mut self) -> Option<(String, Result<R, WaitError<R, M>>)> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Waits for the next operation to finish, and returns it as the server sent it, with its name;
    /// `None` if no operation is left. It decodes nothing: for programs that do not know the types.
    ///
    /// ```
    /// # async fn example(operations: lro_client::OperationsClient) {
    /// use lro_client::{Poller, PollerSet};
    ///
    /// let mut set: PollerSet<(), ()> = PollerSet::new(&operations);
    /// for name in ["operations/1", "operations/2"] {
    ///     set.push(Poller::resume(name, &operations));
    /// }
    /// while let Some((name, ended)) = set.next_operation().await {
    ///     println!("{name}: {:?}", ended.map(|operation| operation.into_inner().result));
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`WaitError`] when the time limit of the poller is reached or a poll fails for good. A failed
    /// operation is not an error here.
    pub async fn next_operation(&mut self) -> Option<NamedEnd<R, M>> {
        let ended = std::future::poll_fn(|context| self.poll_ended(context)).await?;
        Some(ended.into_operation())
    }

    /// The next poller that waits no more.
    fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Option<Ended<R, M>>> {
        let this = self;
        loop {
            if let Some(ended) = this.ended.pop_front() {
                return Poll::Ready(Some(ended));
            }
            if this.entries.is_empty() {
                return Poll::Ready(None);
            }
            this.fire(Instant::now());
            this.send();
            if let Poll::Ready(Some(answer)) = Pin::new(&mut this.calls).poll_next(context) {
                this.take(answer);
                continue;
            }
            if this.ended.is_empty() {
                ready!(this.poll_sleep(context));
            }
        }
    }
}

impl<R: Message + Name + Default + 'static, M: 'static> Stream for PollerSet<R, M> {
    type Item = (String, Result<R, WaitError<R, M>>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let ended = ready!(self.poll_ended(context));
        Poll::Ready(ended.map(Ended::conclude))
    }
}

impl<R, M> PollerSet<R, M> {
    /// Until the next event is due. Without one, until a call is answered.
    fn poll_sleep(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.timeline.next() else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(next)));
        if sleep.deadline() != next {
            sleep.as_mut().reset(next);
        }
        sleep.as_mut().poll(context)
    }
}

impl<R, M> fmt::Debug for PollerSet<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollerSet")
            .field("waited_for", &self.entries.len())
            .field("ended", &self.ended.len())
            .field("calls_made", &self.calls_made)
            .finish_non_exhaustive()
    }
}
