//! Signals of changes: pushed by the inspection service, or at an interval.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use lro_core::OperationName;
use lro_core::inspection as wire;
use lro_core::inspection::inspection_client::InspectionClient;
use tokio::time::sleep;
use tonic::{Request, Status};

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
