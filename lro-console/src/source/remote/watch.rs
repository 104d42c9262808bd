//! Signals of changes: pushed by the inspection service, or at an interval.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use lro_client::OperationsClient;
use lro_core::OperationName;
use lro_core::inspection as wire;
use lro_core::inspection::inspection_client::InspectionClient;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::{Code, Request, Status};

use super::super::{Signal, Signals};
use super::{POLL_INTERVAL, Transport};

/// Signals at an interval, where the server does not push changes.
pub(super) struct Ticks {
    pub(super) interval: Duration,
}

#[async_trait]
impl Signals for Ticks {
    async fn next(&mut self) -> Signal {
        sleep(self.interval).await;
        Signal::Resync
    }
}

/// The most calls of WaitOperation for one tab.
const MAX_WAITS: usize = 50;

/// How long a call of WaitOperation waits.
const WAIT: Duration = Duration::from_secs(60);

/// Signals at an interval, and of each end as it happens, where the server offers WaitOperation.
pub(super) struct Waits {
    operations: OperationsClient,
    calls: FuturesUnordered<BoxFuture<'static, Waited>>,
    ticks_at: Instant,
}

/// The answer of a call of WaitOperation.
enum Waited {
    Changed(OperationName),
    Continues(OperationName),
    /// The interval has to tell.
    Unknown,
    /// The server does not offer it.
    Unimplemented,
}

impl Waits {
    /// A tab with more operations than [`MAX_WAITS`] asks at the interval only.
    pub(super) fn new(operations: OperationsClient, names: Vec<OperationName>) -> Self {
        let waits = Self {
            operations,
            calls: FuturesUnordered::new(),
            ticks_at: Instant::now() + POLL_INTERVAL,
        };
        if names.len() <= MAX_WAITS {
            names.into_iter().for_each(|name| waits.wait_for(name));
        }
        waits
    }

    fn wait_for(&self, name: OperationName) {
        let operations = self.operations.clone();
        self.calls.push(Box::pin(async move {
            let begun = Instant::now();
            match operations.wait(name.as_str(), WAIT).await {
                Ok(operation) if operation.done => Waited::Changed(name),
                Ok(_) => {
                    // Servers may answer at once.
                    sleep_until(begun + POLL_INTERVAL).await;
                    Waited::Continues(name)
                }
                Err(status) => match status.code() {
                    Code::NotFound => Waited::Changed(name),
                    Code::Unimplemented => Waited::Unimplemented,
                    _ => Waited::Unknown,
                },
            }
        }));
    }
}

#[async_trait]
impl Signals for Waits {
    async fn next(&mut self) -> Signal {
        loop {
            tokio::select! {
                biased;
                Some(waited) = self.calls.next(), if !self.calls.is_empty() => match waited {
                    Waited::Changed(name) => return Signal::Changed(vec![name]),
                    Waited::Continues(name) => self.wait_for(name),
                    Waited::Unknown => {}
                    Waited::Unimplemented => self.calls.clear(),
                },
                () = sleep_until(self.ticks_at) => {
                    self.ticks_at = Instant::now() + POLL_INTERVAL;
                    return Signal::Resync;
                }
            }
        }
    }
}

type Changes = BoxStream<'static, Result<wire::WatchOperationsResponse, Status>>;

/// The changes that the server pushes.
pub(super) struct Watch {
    names: Vec<String>,
    inspection: InspectionClient<Transport>,
    stream: Option<Changes>,
}

impl Watch {
    pub(super) fn new(inspection: InspectionClient<Transport>, names: &[OperationName]) -> Self {
        Self {
            names: names.iter().map(|it| it.as_str().to_owned()).collect(),
            inspection,
            stream: None,
        }
    }

    async fn open(&mut self) -> Result<Changes, Status> {
        let request = wire::WatchOperationsRequest {
            names: self.names.clone(),
            ..Default::default()
        };
        let stream = self.inspection.watch_operations(Request::new(request));
        Ok(stream.await?.into_inner().boxed())
    }
}

#[async_trait]
impl Signals for Watch {
    async fn next(&mut self) -> Signal {
        let Some(stream) = &mut self.stream else {
            match self.open().await {
                Ok(stream) => self.stream = Some(stream),
                // Its rows say what is wrong.
                Err(_) => sleep(POLL_INTERVAL).await,
            }
            return Signal::Resync;
        };
        match stream.next().await {
            Some(Ok(changes)) if changes.resync => Signal::Resync,
            Some(Ok(changes)) => {
                let changed = changes.operations.into_iter();
                let changed = changed.filter_map(|it| Some(it.operation?.name));
                let names = changed.chain(changes.removed);
                Signal::Changed(names.filter_map(|it| it.parse().ok()).collect())
            }
            // It has ended, or broken: all of them have ended, or the next stream tells.
            None | Some(Err(_)) => {
                self.stream = None;
                sleep(POLL_INTERVAL).await;
                Signal::Resync
            }
        }
    }
}
