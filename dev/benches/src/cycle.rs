//! Start to done.

use std::sync::Arc;

use exporter::pb::exporter_client::ExporterClient;
use lro_client::{IntoPoller as _, OperationsClient};
use lro_core::store::MemoryStore;
use lro_sqlite::SqliteStore;
use tonic::transport::Channel;

use crate::Setting;
use crate::raw::{self, Raw};
use crate::service::{AsyncWork, InProcess, Server, drive, request};
use crate::table::{per_second, percentiles, print, rate, ratio};

const SUBMITTERS: [usize; 4] = [1, 8, 64, 256];

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for submitters in SUBMITTERS {
        let count = setting.scale(if submitters == 1 { 3_000 } else { 20_000 });
        // Each on its own file, the limit before and after: the machine may change meanwhile.
        let before = raw_rates(setting, submitters, count).await?;
        let folder = setting.folder()?;
        let store = SqliteStore::open(folder.path().join("operations.db")).await?;
        let server = Arc::new(Server::start(store, 1_024).await?);
        let (took, samples) = drive(submitters, count, InProcess(server.clone())).await?;
        let sqlite = rate(count, took);
        let wire = Wire::connect(&server).await?;
        let (took, wire_samples) = drive(submitters, count, wire).await?;
        let grpc = rate(count, took);
        let memory = Arc::new(Server::start(MemoryStore::new(), 1_024).await?);
        let (took, _) = drive(submitters, count, InProcess(memory)).await?;
        let memory = rate(count, took);
        let after = raw_rates(setting, submitters, count).await?;
        let [bare, same] = [0, 1].map(|at| f64::midpoint(before[at], after[at]));
        rows.push(vec![
            submitters.to_string(),
            per_second(bare),
            per_second(same),
            per_second(sqlite),
            ratio(sqlite, bare),
            ratio(sqlite, same),
            percentiles(samples),
            per_second(grpc),
            ratio(grpc, bare),
            percentiles(wire_samples),
            per_second(memory),
        ]);
    }
    print(
        "Start to done, durable (SQLite, synchronous=FULL)",
        &[
            "submitters",
            "bare loop",
            "same rows",
            "in process",
            "of bare",
            "of same",
            "p50 / p99",
            "over gRPC",
            "of bare",
            "p50 / p99",
            "in memory",
        ],
        &rows,
    );
    Ok(())
}

async fn raw_rates(setting: &Setting, submitters: usize, count: usize) -> anyhow::Result<[f64; 2]> {
    let mut rates = [0.0; 2];
    for (raw, rated) in [Raw::Bare, Raw::Same].into_iter().zip(&mut rates) {
        let folder = setting.folder()?;
        let took = raw::lives(raw, &folder.path().join("raw.db"), submitters, count).await?;
        *rated = rate(count, took);
    }
    Ok(rates)
}

#[derive(Clone)]
struct Wire {
    exporter: ExporterClient<Channel>,
    operations: OperationsClient,
}

impl Wire {
    async fn connect(server: &Server) -> anyhow::Result<Self> {
        let channel = Channel::from_shared(format!("http://{}", server.listen()?))?
            .connect()
            .await?;
        Ok(Self {
            exporter: ExporterClient::new(channel.clone()),
            operations: OperationsClient::new(channel),
        })
    }
}

impl AsyncWork for Wire {
    async fn once(&mut self) -> anyhow::Result<()> {
        let operation = self.exporter.export(request("now")).await?.into_inner();
        let response = operation.into_poller(&self.operations).until_done().await;
        response.map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(())
    }
}
