//! Single calls, each on a connection of its own.

use std::error::Error as _;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure};
use lro_core::pb;
use lro_core::pb::operations_client::OperationsClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use torture::pb::exporter_client::ExporterClient;

use torture::journal::Journal;
use torture::server::{Script, keyed};

/// How long a call may take.
const CALL_MAX: Duration = Duration::from_secs(10);

/// How long a fleet may take to serve again. After an outage of the database, the operations that were
/// lost twice start one by one, for up to 4 s each, before new ones.
pub(super) const PATIENCE: Duration = Duration::from_secs(150);

/// Between two tries of a call.
const PAUSE: Duration = Duration::from_millis(20);

/// A connection to a front end.
pub(super) async fn connect(url: &str) -> Result<Channel, Status> {
    let endpoint = Endpoint::from_shared(url.to_owned());
    let endpoint = endpoint.map_err(|error| Status::internal(error.to_string()))?;
    let endpoint = endpoint.connect_timeout(CALL_MAX).timeout(CALL_MAX);
    let channel = endpoint.connect().await;
    channel.map_err(|error| Status::unavailable(error.to_string()))
}

/// Whether a call may fail with this status while the node, its database or the network is broken.
pub(super) fn is_expected(status: &Status) -> bool {
    let of_the_way = status.source().is_some();
    of_the_way
        || matches!(
            status.code(),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled
        )
}

/// Starts an operation, and notes it.
pub(super) async fn start(
    url: &str,
    id: &str,
    script: Script,
    key: Option<&str>,
    journal: &Journal,
) -> Result<String, Status> {
    if journal.entry(id).is_none() {
        journal.starting_apart(id, script, key.map(str::to_owned));
    }
    let mut client = ExporterClient::new(connect(url).await?);
    let started = client.export(keyed(id, script, key)).await?;
    let name = started.into_inner().name().to_owned();
    journal.acknowledge(id, |entry| entry.started = true);
    Ok(name)
}

/// Starts it, as often as it takes. That it is there already is the answer to an earlier try; other
/// refusals are given.
pub(super) async fn start_for_sure(
    url: &str,
    id: &str,
    script: Script,
    key: Option<&str>,
    journal: &Journal,
) -> anyhow::Result<Result<String, Status>> {
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        match start(url, id, script, key, journal).await {
            Err(status) if status.code() == Code::AlreadyExists && tries > 1 => {
                journal.acknowledge(id, |entry| entry.started = true);
                return Ok(Ok(format!("operations/{id}")));
            }
            Err(status) if is_expected(&status) => {
                ensure!(begun.elapsed() < PATIENCE, "no start for so long: {status}");
                tokio::time::sleep(PAUSE).await;
            }
            answer => return Ok(answer),
        }
    }
}

/// Cancels it, as often as it takes.
pub(super) async fn cancel(url: &str, id: &str, journal: &Journal) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let name = format!("operations/{id}");
        let cancelled = async {
            let mut client = OperationsClient::new(connect(url).await?);
            let request = pb::CancelOperationRequest { name };
            client.cancel_operation(request).await
        };
        match cancelled.await {
            Ok(_) => {
                journal.acknowledge(id, |entry| entry.cancelled = true);
                return Ok(());
            }
            Err(status) if is_expected(&status) && begun.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(status) => bail!("{id} cannot be cancelled: {status}"),
        }
    }
}

/// Waits for its end through this front end, as often as it takes.
pub(super) async fn wait(url: &str, id: &str, journal: &Journal) -> anyhow::Result<pb::Operation> {
    let begun = Instant::now();
    loop {
        let before = journal.entry(id).ok_or_else(|| anyhow!("an unknown id"))?;
        let request = pb::WaitOperationRequest {
            name: format!("operations/{id}"),
            timeout: Some(prost_types::Duration {
                seconds: 5,
                nanos: 0,
            }),
        };
        let waited = async {
            let mut client = OperationsClient::new(connect(url).await?);
            client.wait_operation(request).await
        };
        match waited.await {
            Ok(answer) => {
                let operation = answer.into_inner();
                journal.seen(id, &operation, &before);
                if operation.done {
                    return Ok(operation);
                }
            }
            Err(status) if is_expected(&status) => tokio::time::sleep(PAUSE).await,
            Err(status) => bail!("waiting for {id}: {status:?}"),
        }
        ensure!(begun.elapsed() < PATIENCE, "{id} does not end");
    }
}
