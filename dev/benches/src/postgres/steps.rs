//! Durable steps: alone, and in lives of ten, against the same rows, and beside dbos.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lro_core::pack;
use lro_core::store::{
    Command, NewOperation, OperationStore as _, StepKind, StepOutcome, StepWrite, Update, WorkerId,
};
use lro_postgres::PostgresStore;
use uuid::Uuid;

use super::peers::build;
use super::raw::{Life, Raw};
use super::{Bench, CONCURRENCY, Round, median, of, rates, samples};
use crate::service::{AsyncWork, STEPS, Server, request};
use crate::table::{per_second, percentiles, print};

const BODIES: [usize; 4] = [1, 8, 32, 64];

/// How many bodies are compared with dbos.
const BESIDE: usize = 32;

/// How many steps one operation has of those that are measured alone.
const ALONE: u32 = 200;
const LEASE: Duration = Duration::from_secs(600);

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    alone(bench).await?;
    let mut rows = Vec::new();
    for bodies in BODIES {
        let (mut raw, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..bench.rounds {
            raw.push(bench.raw(bodies, Life::Steps(STEPS)).await?);
            ours.push(lives(bench, bodies).await?);
        }
        rows.push(vec![
            bodies.to_string(),
            per_second(steps(&raw)),
            per_second(steps(&ours)),
            of(&ours, &raw),
            transactions(&raw),
            transactions(&ours),
            wal(&raw),
            wal(&ours),
            percentiles(samples(raw)),
            percentiles(samples(ours)),
        ]);
    }
    let title = format!("Steps a second, lives of {STEPS} steps (PostgreSQL, fsync)");
    let head = [
        "bodies",
        "same rows",
        "in process",
        "of same",
        "transactions of a life: same",
        "ours",
        "log of a life: same",
        "ours",
        "a life, p50 / p99: same",
        "ours",
    ];
    print(&title, &head, &rows);
    Ok(())
}

/// Lives of ten steps beside workflows of dbos.
pub(super) async fn beside(bench: &Bench) -> anyhow::Result<()> {
    let program = build()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        ours.push(lives(bench, BESIDE).await?);
        theirs.push(bench.patiently(&program, "dbos", BESIDE).await?);
    }
    let row = vec![
        BESIDE.to_string(),
        per_second(steps(&ours)),
        per_second(steps(&theirs)),
        of(&ours, &theirs),
        transactions(&ours),
        transactions(&theirs),
        wal(&ours),
        wal(&theirs),
    ];
    let title = format!("Steps a second beside dbos, lives of {STEPS} steps (PostgreSQL, fsync)");
    let head = [
        "bodies",
        "lro-postgres",
        "dbos",
        "ours / theirs",
        "transactions of a life: ours",
        "theirs",
        "log of a life: ours",
        "theirs",
    ];
    print(&title, &head, &[row]);
    Ok(())
}

fn steps(rounds: &[Round]) -> f64 {
    rates(rounds) * f64::from(STEPS)
}

fn transactions(rounds: &[Round]) -> String {
    let each = median(rounds.iter().map(|round| round.transactions));
    format!("{each:.2}")
}

fn wal(rounds: &[Round]) -> String {
    let each = median(rounds.iter().map(|round| round.wal_bytes));
    format!("{:.1} kB", each / 1e3)
}

#[derive(Clone)]
struct Steps(Arc<Server>);

impl AsyncWork for Steps {
    async fn once(&mut self) -> anyhow::Result<()> {
        self.0.life_of("steps").await
    }
}

async fn lives(bench: &Bench, bodies: usize) -> anyhow::Result<Round> {
    let make = async |schema: &str| {
        let server = Server::start(bench.store(schema).await?, CONCURRENCY).await?;
        Ok(Steps(Arc::new(server)))
    };
    bench.round(bodies, make).await
}

/// One step at a time: a bare round trip that commits the same rows, and the store.
async fn alone(bench: &Bench) -> anyhow::Result<()> {
    let schema = "alone";
    let store = bench.store(schema).await?;
    let raw = Raw::step(&bench.cluster.url(), schema).await?;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    let mut ratios = Vec::new();
    for _ in 0..bench.rounds * 5 {
        let one = started(&store).await?;
        let mut took = Vec::new();
        for number in 0..ALONE {
            let begun = Instant::now();
            raw.record(one.uid, number as i32).await?;
            took.push(begun.elapsed());
        }
        let raw_median = middle(&took);
        bare.extend(took);
        let one = started(&store).await?;
        let mut took = Vec::new();
        for number in 0..ALONE {
            let update = record(&one, number)?;
            let begun = Instant::now();
            let recorded = store.update(vec![update]).await?.remove(0);
            took.push(begun.elapsed());
            anyhow::ensure!(recorded.is_ok(), "not recorded: {recorded:?}");
        }
        ratios.push(middle(&took) / raw_median);
        ours.extend(took);
    }
    print(
        "A step alone (PostgreSQL, fsync), p50 / p99",
        &["a bare round trip with commit", "a step", "of bare"],
        &[vec![
            percentiles(bare),
            percentiles(ours),
            format!("{:.2}", median(ratios)),
        ]],
    );
    bench
        .meter
        .run(&format!("DROP SCHEMA {schema} CASCADE"))
        .await
}

fn middle(took: &[Duration]) -> f64 {
    median(took.iter().map(Duration::as_secs_f64))
}

/// A running operation.
struct Running {
    uid: Uuid,
    name: lro_core::OperationName,
}

async fn started(store: &PostgresStore) -> anyhow::Result<Running> {
    let uid = Uuid::now_v7();
    let name: lro_core::OperationName = format!("operations/{uid}").parse()?;
    let method = "/benches.Exporter/Export";
    let mut operation = NewOperation::new(uid, name.clone(), method, pack(&request("now")));
    operation.claimed_by = Some((WorkerId::from_uuid(uid), LEASE));
    store.start(vec![operation]).await?.remove(0)?;
    Ok(Running { uid, name })
}

fn record(one: &Running, number: u32) -> anyhow::Result<Update> {
    let write = StepWrite {
        attempt: 1,
        outcome: Some(StepOutcome::Response(pack(&7_u32))),
        ..StepWrite::begun(format!("step/{number}").parse()?, StepKind::Step)
    };
    let command = Command::Record {
        fence: 1,
        metadata: None,
    };
    Ok(Update::by_uid(one.name.clone(), one.uid, command).with_steps(vec![write]))
}
