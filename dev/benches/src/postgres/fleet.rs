//! Start to done where other processes do the work.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::sync::Arc;

use lro_postgres::PostgresStore;

use super::raw::Life;
use super::{Bench, CONCURRENCY, Round, SUBMITTERS, median, of, rates, samples};
use crate::service::{AsyncWork, Server};
use crate::table::{per_second, percentiles, print};

const PROCESSES: [usize; 3] = [1, 2, 4];

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for submitters in SUBMITTERS {
        let mut raw = Vec::new();
        let mut fleets = PROCESSES.map(|_| Vec::new());
        for _ in 0..bench.rounds {
            raw.push(bench.raw(submitters, Life::Three).await?);
            for (rounds, processes) in fleets.iter_mut().zip(PROCESSES) {
                rounds.push(bench.fleet(submitters, processes).await?);
            }
        }
        for (rounds, processes) in fleets.into_iter().zip(PROCESSES) {
            let transactions = median(rounds.iter().map(|round| round.transactions));
            rows.push(vec![
                submitters.to_string(),
                processes.to_string(),
                per_second(rates(&raw)),
                per_second(rates(&rounds)),
                of(&rounds, &raw),
                format!("{transactions:.2}"),
                percentiles(samples(rounds)),
            ]);
        }
    }
    print(
        "Start to done with the work in other processes (PostgreSQL)",
        &[
            "submitters",
            "worker processes",
            "raw, 3 statements",
            "lro-postgres",
            "of raw",
            "transactions per operation",
            "p50 / p99",
        ],
        &rows,
    );
    Ok(())
}

impl Bench {
    async fn fleet(&self, submitters: usize, processes: usize) -> anyhow::Result<Round> {
        let make = async |schema: &str| {
            let workers = (0..processes).map(|_| Node::start(&self.cluster.url(), schema));
            Ok(Fleet {
                _workers: workers.collect::<anyhow::Result<Vec<_>>>()?.into(),
                front: Arc::new(Server::front(self.store(schema).await?)),
            })
        };
        self.round(submitters, make).await
    }
}

#[derive(Clone)]
struct Fleet {
    front: Arc<Server>,
    _workers: Arc<[Node]>,
}

impl AsyncWork for Fleet {
    async fn once(&mut self) -> anyhow::Result<()> {
        self.front.life().await
    }
}

/// A worker process; it ends when this is dropped.
struct Node(Child);

impl Node {
    fn start(database: &str, schema: &str) -> anyhow::Result<Self> {
        let mut child = crate::this_program()?
            .args(["--work", schema, "--database", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        anyhow::ensure!(line.trim() == "ready", "the worker says {line:?}");
        Ok(Self(child))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Its answer would change nothing.
        let _ = self.0.wait();
    }
}

/// Is one of the worker processes, until its stdin ends.
pub(crate) async fn work(database: &str, schema: &str) -> anyhow::Result<()> {
    let store = PostgresStore::builder(database).schema(schema);
    let _server = Server::start(store.open().await?, CONCURRENCY).await?;
    println!("ready");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
