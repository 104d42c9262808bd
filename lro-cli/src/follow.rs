//! Follows operations to their end, and tells how far they are.

mod bars;
mod display;
mod lines;
mod signals;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use lro_client::{
    ExponentialBackoff, OperationsClient, PollAnswer, Poller, PollerSet, PollingErrorAction,
    PollingErrorPolicy, PollingState, WaitError,
};
use lro_core::pb;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::args::IfMissing;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local_filter::LocalFilter;
use crate::shown::Shown;
use display::Display;
use signals::Signals;

/// How long a server may hold a wait whose progress is shown.
const GLIMPSE: Duration = Duration::from_secs(10);
/// How often the display is drawn while nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// From how many operations on only their number is shown.
const MANY: usize = 10;

/// The operations to follow, and how.
#[derive(Debug)]
pub(crate) struct Follow<'a> {
    pub(crate) names: &'a [String],
    /// Shows each change, and not only what a wait for the end brings.
    pub(crate) watch: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) any: bool,
    pub(crate) if_missing: IfMissing,
    /// The command that continues after Ctrl-C.
    pub(crate) verb: &'static str,
    /// Writes each change as an object to stdout.
    pub(crate) changes: bool,
    /// The filter that ends the wait, instead of the end of the operation.
    pub(crate) reached: Option<&'a LocalFilter>,
}

/// How following one operation ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The operation is done.
    Done(Box<Shown>),
    /// The operation matches what it was waited for to match.
    Reached(Box<Shown>),
    /// The time limit was reached.
    TimedOut,
    /// The server has no such operation, which was allowed.
    Missing,
    /// Nothing more can be found out.
    Lost(Failure),
}

/// How all of it ended.
#[derive(Debug)]
pub(crate) struct Ends {
    /// In the order of the names; without those that were not waited for any more.
    pub(crate) ends: Vec<(String, End)>,
    /// The signal that ended the watching.
    pub(crate) interrupted: Option<Exit>,
}

/// News of one operation.
enum News {
    State(pb::Operation),
    Retry(String, Status),
}

/// Errors that may pass are retried, this many in a row. A proxy's or a server's hiccup is not the
/// end of a wait; what the server has decided is.
struct Patient(u32);

impl PollingErrorPolicy for Patient {
    fn on_error(&self, state: &PollingState, error: &Status) -> PollingErrorAction {
        let passes = match error.code() {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::Unknown
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::Cancelled => true,
            Code::Unauthenticated => false,
            _ => state.retry_delay.is_some(),
        };
        if passes && state.consecutive_errors <= self.0 {
            PollingErrorAction::Continue
        } else {
            PollingErrorAction::Stop
        }
    }
}

type Waiting = Poller<(), ()>;

impl Follow<'_> {
    /// Follows all of them to their end, to the time limit, or to a signal.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written, or a setting is wrong.
    pub(crate) async fn run(&self, context: &Context) -> Result<Ends, Failure> {
        let mut display = Display::new(context, self)?;
        let finished = self.follow(context, &mut display).await;
        display.finish();
        finished
    }

    async fn follow(&self, context: &Context, display: &mut Display<'_>) -> Result<Ends, Failure> {
        let shower = context.shower()?;
        let (sender, mut news) = mpsc::channel(64);
        let concurrency = context.settings.number("concurrency")?.max(1);
        let mut ends: HashMap<String, End> = HashMap::new();
        let mut tasks = FuturesUnordered::new();
        // A set tells ends only.
        if self.names.len() <= concurrency || self.reached.is_some() {
            for name in self.names {
                let sender = sender.clone();
                tasks.push(self.one(context, name, sender).boxed_local());
            }
        } else {
            let set = self.set(context, concurrency, sender.clone());
            tasks.push(set.boxed_local());
        }
        drop(sender);
        let mut tick = tokio::time::interval(TICK);
        let mut signals = Signals::new();
        let mut interrupted = None;
        while ends.len() < self.names.len() {
            tokio::select! {
                biased;
                exit = signals.next() => {
                    interrupted = Some(exit);
                    break;
                }
                Some(news) = news.recv() => match news {
                    News::State(operation) => {
                        let shown = shower.show(operation).await?;
                        if self.changes {
                            self.write_change(context, &shown)?;
                        }
                        let name = shown.name().to_owned();
                        if ends.contains_key(&name) {
                            continue;
                        }
                        display.state(&shown);
                        let reached = match self.reached {
                            Some(filter) => filter.matches(context, &shown)?,
                            None => false,
                        };
                        if reached {
                            ends.insert(name, End::Reached(Box::new(shown)));
                            if self.any {
                                break;
                            }
                        } else if shown.operation.done {
                            ends.insert(name, End::Done(Box::new(shown)));
                            if self.any {
                                break;
                            }
                        }
                    }
                    News::Retry(name, status) => display.retry(&name, &status),
                },
                Some(ended) = tasks.next() => for (name, end) in ended {
                    display.lost(&name, &end);
                    ends.insert(name, end);
                },
                _ = tick.tick() => display.tick(),
            }
        }
        let in_order = self.names.iter().filter_map(|name| ends.remove_entry(name));
        Ok(Ends {
            ends: in_order.collect(),
            interrupted,
        })
    }

    /// Follows one operation. Returns an end that is not the operation's own.
    async fn one(
        &self,
        context: &Context,
        name: &str,
        sender: mpsc::Sender<News>,
    ) -> Vec<(String, End)> {
        let began = Instant::now();
        let client = self.client(context);
        let mut index = 0;
        let pauses = ExponentialBackoff::new(Duration::from_millis(250), Duration::from_secs(10));
        loop {
            let left = self.timeout.map(|it| it.saturating_sub(began.elapsed()));
            let mut poller = self.poller(context, &client, name, left);
            let error = loop {
                match poller.next_answer().await {
                    Ok(PollAnswer::Retry(status)) => {
                        let _ = sender.send(News::Retry(name.to_owned(), status)).await;
                    }
                    Ok(_) => {
                        let mut operation = poller.operation().as_inner().clone();
                        // Some servers leave it out.
                        name.clone_into(&mut operation.name);
                        let done = operation.done;
                        let _ = sender.send(News::State(operation)).await;
                        if done {
                            return Vec::new();
                        }
                    }
                    Err(error) => break error,
                }
            };
            let is_missing = error.is_poll_failed() && error.code() == Code::NotFound;
            if is_missing && self.if_missing == IfMissing::Wait {
                let pause = pauses.delay(index);
                index += 1;
                if self.timeout.is_some_and(|it| began.elapsed() + pause >= it) {
                    return vec![(name.to_owned(), End::TimedOut)];
                }
                tokio::time::sleep(pause).await;
                continue;
            }
            return vec![(name.to_owned(), self.end(context, name, error))];
        }
    }

    /// Follows many operations with few calls: their ends only.
    async fn set(
        &self,
        context: &Context,
        concurrency: usize,
        sender: mpsc::Sender<News>,
    ) -> Vec<(String, End)> {
        let mut set: PollerSet<(), ()> = PollerSet::new(&context.operations).concurrency(
            concurrency
                .try_into()
                .unwrap_or(std::num::NonZeroUsize::MIN),
        );
        for name in self.names {
            set.push(self.poller(context, &context.operations, name, self.timeout));
        }
        let mut lost = Vec::new();
        while let Some((name, ended)) = set.next_operation().await {
            match ended {
                Ok(operation) => {
                    let mut operation = operation.into_inner();
                    operation.name = name;
                    let _ = sender.send(News::State(operation)).await;
                }
                Err(error) => {
                    let end = self.end(context, &name, error);
                    lost.push((name, end));
                }
            }
        }
        lost
    }

    fn client(&self, context: &Context) -> OperationsClient {
        if self.watch || self.reached.is_some() {
            // WaitOperation does not return for a change of the metadata.
            context.operations.clone().without_wait_operation()
        } else {
            context.operations.clone()
        }
    }

    fn poller(
        &self,
        context: &Context,
        client: &OperationsClient,
        name: &str,
        limit: Option<Duration>,
    ) -> Waiting {
        let (first, last) = if self.watch || self.reached.is_some() {
            (250, 1_000)
        } else {
            (500, 10_000)
        };
        let pauses =
            ExponentialBackoff::new(Duration::from_millis(first), Duration::from_millis(last));
        let poller = Waiting::resume(name, client)
            .error_policy(Patient(context.retry_errors))
            .backoff_policy(pauses)
            .max_wait(GLIMPSE);
        match limit {
            Some(limit) => poller.time_limit(limit),
            None => poller,
        }
    }

    fn end(&self, context: &Context, name: &str, error: WaitError<(), ()>) -> End {
        if error.is_timeout() {
            return End::TimedOut;
        }
        if error.code() == Code::NotFound && self.if_missing == IfMissing::Ok {
            return End::Missing;
        }
        let status = Status::from(error);
        let failure = context.failed(&status, &format!("cannot follow {name}"));
        End::Lost(match failure.exit() {
            Exit::Unknown => failure.advise("this says nothing about the operation"),
            _ => failure,
        })
    }

    /// A line of `watch -o ndjson`.
    fn write_change(&self, context: &Context, shown: &Shown) -> Result<(), Failure> {
        let at = crate::output::TimeForm::Utc.write(context.now(), context.now());
        let change = if shown.operation.done {
            shown.state.name()
        } else {
            "CHANGED"
        };
        let operation = &shown.json;
        let line = format!("{{\"at\":\"{at}\",\"change\":\"{change}\",\"operation\":{operation}}}");
        context.terminal.json(&line)
    }

    /// Tells that the watching ended, and how to continue it.
    pub(crate) fn tell_interrupted(&self, context: &Context, ends: &Ends) {
        let done: Vec<&str> = ends.ends.iter().map(|(name, _)| &**name).collect();
        let mut left: Vec<String> = Vec::new();
        for name in self.names.iter().filter(|name| !done.contains(&&***name)) {
            left.push(crate::commands::list::quoted(name));
        }
        let more = left.len().saturating_sub(MANY);
        left.truncate(MANY);
        let more = if more == 0 {
            String::new()
        } else {
            format!(" (and {more} more)")
        };
        let names = left.join(" ");
        context.terminal.tell(&format!(
            "Still running on the server. Continue: lro {} {names}{more}",
            self.verb
        ));
    }
}

impl End {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Done(shown) => shown.state.exit(),
            Self::TimedOut => Exit::TimedOut,
            Self::Missing | Self::Reached(_) => Exit::Done,
            Self::Lost(failure) => failure.exit(),
        }
    }
}
