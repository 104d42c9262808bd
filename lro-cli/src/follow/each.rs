//! Follows one operation, or many with few calls, to ends that the operations do not tell themselves.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lro_client::{
    ExponentialBackoff, OperationsClient, PollAnswer, Poller, PollerSet, PollingErrorAction,
    PollingErrorPolicy, PollingState, WaitError,
};
use lro_core::pb;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{End, Follow, Seen};
use crate::args::IfMissing;
use crate::context::Context;
use crate::exit::Exit;

/// How long a server may hold a wait whose progress is shown.
const GLIMPSE: Duration = Duration::from_secs(10);

/// How long a server may take to tell how far an operation is, of which it told nothing before the time
/// limit.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// News of one operation.
pub(super) enum News {
    State(pb::Operation),
    Retry(String, Status),
    /// Following it ended without the operation's own end.
    Ended(String, End),
}

/// Errors that may pass are retried, this many in a row. A proxy's or a server's hiccup is not the
/// end of a wait; what the server has decided is.
struct Patient(u32);

/// Whether the error may not occur at the next try: it says nothing about what was asked for.
pub(super) fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::Unknown
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::Cancelled
    )
}

impl PollingErrorPolicy for Patient {
    fn on_error(&self, state: &PollingState, error: &Status) -> PollingErrorAction {
        let passes = match error.code() {
            Code::Unauthenticated => false,
            code => may_pass(code) || state.retry_delay.is_some(),
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
    /// Follows operations by calls for each, or for many of them with few calls.
    pub(super) async fn polled(
        &self,
        context: &Context,
        names: Vec<String>,
        limit: Option<Duration>,
        concurrency: usize,
        sender: mpsc::Sender<News>,
    ) {
        // A set tells ends only.
        if names.len() <= concurrency || self.reached.is_some() {
            let each = names.into_iter();
            let each = each.map(|name| self.one(context, name, limit, sender.clone()));
            let mut each: FuturesUnordered<_> = each.collect();
            while let Some(()) = each.next().await {}
        } else {
            self.set(context, names, limit, concurrency, sender).await;
        }
    }

    /// Follows one operation.
    pub(super) async fn one(
        &self,
        context: &Context,
        name: String,
        limit: Option<Duration>,
        sender: mpsc::Sender<News>,
    ) {
        let began = Instant::now();
        let mut client = self.client(context);
        let mut last_look = None;
        let mut index = 0;
        let mut seen = Seen::Nothing;
        let pauses = ExponentialBackoff::new(Duration::from_millis(250), Duration::from_secs(10));
        loop {
            let left = limit.map(|it| it.saturating_sub(began.elapsed()));
            let mut poller = self.poller(context, &client, &name, last_look.or(left));
            let error = loop {
                match poller.next_answer().await {
                    Ok(PollAnswer::Retry(status)) => {
                        let _ = sender.send(News::Retry(name.clone(), status)).await;
                    }
                    Ok(_) => {
                        let mut operation = poller.operation().as_inner().clone();
                        // Some servers leave it out.
                        name.clone_into(&mut operation.name);
                        let done = operation.done;
                        seen = Seen::Running;
                        let _ = sender.send(News::State(operation)).await;
                        if done {
                            return;
                        }
                        if last_look.is_some() {
                            let end = End::TimedOut(seen);
                            let _ = sender.send(News::Ended(name, end)).await;
                            return;
                        }
                    }
                    Err(error) => break error,
                }
            };
            if error.is_timeout() && seen == Seen::Nothing && last_look.is_none() {
                // A server may hold WaitOperation for longer than it was asked to.
                client = client.without_wait_operation();
                last_look = Some(LAST_LOOK);
                continue;
            }
            let is_missing = error.is_poll_failed() && error.code() == Code::NotFound;
            if is_missing && self.if_missing == IfMissing::Wait {
                seen = Seen::Missing;
                let pause = pauses.delay(index);
                index += 1;
                if limit.is_some_and(|it| began.elapsed() + pause >= it) {
                    let end = End::TimedOut(seen);
                    let _ = sender.send(News::Ended(name, end)).await;
                    return;
                }
                tokio::time::sleep(pause).await;
                continue;
            }
            let end = self.end(context, &name, error, seen);
            let _ = sender.send(News::Ended(name, end)).await;
            return;
        }
    }

    /// Follows many operations with few calls: their ends only.
    async fn set(
        &self,
        context: &Context,
        names: Vec<String>,
        limit: Option<Duration>,
        concurrency: usize,
        sender: mpsc::Sender<News>,
    ) {
        let mut set: PollerSet<(), ()> = PollerSet::new(&context.operations).concurrency(
            concurrency
                .try_into()
                .unwrap_or(std::num::NonZeroUsize::MIN),
        );
        for name in &names {
            set.push(self.poller(context, &context.operations, name, limit));
        }
        while let Some((name, ended)) = set.next_operation().await {
            match ended {
                Ok(operation) => {
                    let mut operation = operation.into_inner();
                    operation.name = name;
                    let _ = sender.send(News::State(operation)).await;
                }
                Err(error) => {
                    // The set does not tell what it has seen before.
                    let end = self.end(context, &name, error, Seen::Running);
                    let _ = sender.send(News::Ended(name, end)).await;
                }
            }
        }
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

    fn end(&self, context: &Context, name: &str, error: WaitError<(), ()>, seen: Seen) -> End {
        if error.is_timeout() {
            return End::TimedOut(seen);
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
}
