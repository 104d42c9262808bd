//! Follows operations by the changes that the inspection service tells of, where the server has it.
//!
//! The stream says when to look, and the standard's `GetOperation` says how far an operation is: the
//! output is the same as for a server without the service. Operations that the stream does not show to
//! their end are polled.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered};
use futures_util::{FutureExt as _, StreamExt as _};
use lro_client::ExponentialBackoff;
use lro_core::inspection::{RecordView, WatchOperationsRequest, WatchOperationsResponse};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::{Status, Streaming};

use super::each::{News, may_pass};
use super::{End, Follow, Seen};
use crate::context::Context;
use crate::inspection::Inspection;

/// The most names that one stream may have.
const MAX_NAMES: usize = 1_000;

/// The operations that a stream is to show.
struct Told<'a> {
    context: &'a Context,
    inspection: Inspection,
    concurrency: usize,
    sender: mpsc::Sender<News>,
    /// Those that have not ended.
    open: BTreeSet<String>,
    /// Those that have changed and were not read since.
    changed: BTreeSet<String>,
    /// Those that the stream tells nothing more of.
    left: Vec<String>,
    stream: Option<Streaming<WatchOperationsResponse>>,
    /// When the stream may be opened.
    next: Instant,
}

impl Follow<'_> {
    /// Follows operations by the stream of their changes, or polls them.
    pub(super) async fn told(
        &self,
        context: &Context,
        names: Vec<String>,
        limit: Option<Duration>,
        concurrency: usize,
        sender: mpsc::Sender<News>,
    ) {
        let began = Instant::now();
        let rest = || limit.map(|it| it.saturating_sub(began.elapsed()));
        let inspection = match names.len() {
            0..=MAX_NAMES => Inspection::of(context).await.ok().flatten(),
            _ => None,
        };
        let Some(inspection) = inspection else {
            return self
                .polled(context, names, rest(), concurrency, sender)
                .await;
        };
        let mut told = Told {
            context,
            inspection,
            concurrency,
            sender: sender.clone(),
            open: names.into_iter().collect(),
            changed: BTreeSet::new(),
            left: Vec::new(),
            stream: None,
            next: began,
        };
        let mut polls = FuturesUnordered::new();
        let pauses = ExponentialBackoff::new(Duration::from_millis(250), Duration::from_secs(10));
        let mut failures = 0;
        let over = async {
            match limit {
                Some(limit) => tokio::time::sleep_until(began + limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        while !told.open.is_empty() {
            let step = told.step();
            let status = tokio::select! {
                () = &mut over => {
                    for name in std::mem::take(&mut told.open) {
                        let end = End::TimedOut(Seen::Running);
                        let _ = sender.send(News::Ended(name, end)).await;
                    }
                    break;
                }
                Some(()) = polls.next() => continue,
                step = step => match step {
                    Ok(()) => {
                        failures = 0;
                        for name in told.left.drain(..) {
                            let poll = self.one(context, name, rest(), sender.clone());
                            polls.push(poll.boxed_local());
                        }
                        continue;
                    }
                    Err(status) => status,
                },
            };
            told.stream = None;
            if !may_pass(status.code()) || failures >= context.retry_errors {
                break;
            }
            if let Some(name) = told.open.first() {
                let news = News::Retry(name.clone(), status);
                let _ = sender.send(news).await;
            }
            told.next = Instant::now() + pauses.delay(failures);
            failures += 1;
        }
        let open: Vec<String> = told.open.into_iter().chain(told.left).collect();
        if !open.is_empty() {
            let poll = self.polled(context, open, rest(), concurrency, sender);
            polls.push(poll.boxed_local());
        }
        while let Some(()) = polls.next().await {}
    }
}

impl Told<'_> {
    /// Reads what has changed, or the next message of the stream, or opens it. Cancel safe.
    async fn step(&mut self) -> Result<(), Status> {
        if !self.changed.is_empty() {
            self.read().await;
            return Ok(());
        }
        let Some(stream) = &mut self.stream else {
            tokio::time::sleep_until(self.next).await;
            let request = WatchOperationsRequest {
                names: self.open.iter().cloned().collect(),
                view: RecordView::Summary.into(),
                ..Default::default()
            };
            self.stream = Some(self.inspection.watch(request).await?);
            return Ok(());
        };
        let Some(message) = stream.message().await? else {
            return Err(Status::unavailable("the stream of changes ended"));
        };
        let changed = message.operations.into_iter().filter_map(|it| it.operation);
        let changed = changed.map(|operation| operation.name);
        self.changed
            .extend(changed.filter(|name| self.open.contains(name)));
        for name in message.removed {
            if self.open.remove(&name) {
                self.left.push(name);
            }
        }
        Ok(())
    }

    /// Reads the operations that have changed, and sends what they are. Those that cannot be read are
    /// left.
    async fn read(&mut self) {
        let names: Vec<String> = self.changed.iter().cloned().collect();
        let operations = &self.context.operations;
        let reads = stream::iter(names).map(|name| async move {
            let read = operations.get(&name).await;
            (name, read)
        });
        let mut reads = reads.buffer_unordered(self.concurrency);
        while let Some((name, read)) = reads.next().await {
            match read {
                Ok(mut operation) => {
                    let done = operation.done;
                    // Some servers leave it out.
                    name.clone_into(&mut operation.name);
                    let _ = self.sender.send(News::State(operation)).await;
                    if done {
                        self.open.remove(&name);
                    }
                }
                Err(_) => {
                    if self.open.remove(&name) {
                        self.left.push(name.clone());
                    }
                }
            }
            self.changed.remove(&name);
        }
    }
}
