//! The PostgreSQL store, on a private server that syncs to the disk.

mod children;
mod cycles;
mod fleet;
mod hearing;
mod meter;
mod million;
mod peers;
mod raw;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use lro_postgres::PostgresStore;
use test_programs::postgres::Cluster;

use crate::Setting;
use crate::service::{AsyncWork, InProcess, Server, drive_for};
use crate::table::rate;
use meter::{Meter, Reading};
use raw::{Life, Raw};

pub(crate) use fleet::work;

const SUBMITTERS: [usize; 4] = [1, 8, 64, 256];

/// How many bodies a worker runs at once.
const CONCURRENCY: usize = 1_024;

/// How long each runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let bench = Bench::start(setting).await?;
    cycles::run(&bench).await?;
    fleet::run(&bench).await?;
    hearing::run(&bench).await?;
    million::run(&bench, setting.scale(1_000_000)).await
}

pub(crate) async fn peers(setting: &Setting) -> anyhow::Result<()> {
    let bench = Bench::start(setting).await?;
    peers::run(&bench).await
}

pub(crate) async fn steps(setting: &Setting) -> anyhow::Result<()> {
    let bench = Bench::start(setting).await?;
    steps::run(&bench).await
}

pub(crate) async fn children(setting: &Setting) -> anyhow::Result<()> {
    let bench = Bench::start(setting).await?;
    children::run(&bench).await
}

pub(crate) async fn step_peers(setting: &Setting) -> anyhow::Result<()> {
    let bench = Bench::start(setting).await?;
    steps::beside(&bench).await
}

/// A server for all figures of a run.
struct Bench {
    cluster: Cluster,
    meter: Meter,
    span: Duration,
    /// How often each rate is measured, in turn with those it is compared to.
    rounds: usize,
}

/// The results of one contender in one round.
struct Round {
    rate: f64,
    samples: Vec<Duration>,
    transactions: f64,
    wal_bytes: f64,
    row_bytes: i64,
}

impl Bench {
    async fn start(setting: &Setting) -> anyhow::Result<Self> {
        let cluster = Cluster::start()?;
        let meter = Meter::connect(&cluster.url()).await?;
        Ok(Self {
            cluster,
            meter,
            span: setting.span(),
            rounds: if setting.quick { 1 } else { 3 },
        })
    }

    async fn store(&self, schema: &str) -> anyhow::Result<PostgresStore> {
        let store = PostgresStore::builder(self.cluster.url()).schema(schema);
        Ok(store.open().await?)
    }

    /// Runs what is made on a schema of its own, and counts what it costs.
    async fn round<W: AsyncWork>(
        &self,
        submitters: usize,
        make: impl AsyncFnOnce(&str) -> anyhow::Result<W>,
    ) -> anyhow::Result<Round> {
        let schema = "round";
        let made = self.store(schema).await?;
        drop(made);
        self.meter.read_after().await?;
        let work = make(schema).await?;
        let before = self.meter.read().await?;
        // Connections are made and statements planned before it is timed.
        let (_, warm_up) = drive_for(submitters, WARM_UP, work.clone()).await?;
        let (took, samples) = drive_for(submitters, self.span, work).await?;
        let Reading {
            transactions,
            wal_bytes,
        } = self.meter.read_after().await?.since(before);
        let lives = (warm_up.len() + samples.len()) as f64;
        let row_bytes = self.meter.row_bytes(schema).await?;
        self.meter
            .run(&format!("DROP SCHEMA {schema} CASCADE; CHECKPOINT"))
            .await?;
        Ok(Round {
            rate: rate(samples.len(), took),
            samples,
            transactions: transactions as f64 / lives,
            wal_bytes: wal_bytes as f64 / lives,
            row_bytes,
        })
    }

    async fn raw(&self, submitters: usize, life: Life) -> anyhow::Result<Round> {
        let make = async |schema: &str| Raw::connect(&self.cluster.url(), schema, life).await;
        self.round(submitters, make).await
    }

    /// The store, and who starts operations runs them.
    async fn ours(&self, submitters: usize) -> anyhow::Result<Round> {
        let make = async |schema: &str| {
            let server = Server::start(self.store(schema).await?, CONCURRENCY).await?;
            Ok(InProcess(Arc::new(server)))
        };
        self.round(submitters, make).await
    }
}

/// The middle one of a figure's values.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How two contenders compare, round by round.
fn of(rounds: &[Round], reference: &[Round]) -> String {
    let pairs = rounds.iter().zip(reference);
    let ratio = median(pairs.map(|(round, reference)| round.rate / reference.rate));
    format!("{ratio:.2}")
}

fn rates(rounds: &[Round]) -> f64 {
    median(rounds.iter().map(|round| round.rate))
}

fn samples(rounds: Vec<Round>) -> Vec<Duration> {
    rounds.into_iter().flat_map(|round| round.samples).collect()
}
