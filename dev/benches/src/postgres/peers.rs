//! Beside other queues on the same server. They are a workspace of their own, because their driver
//! cannot be built together with rusqlite.

use std::path::Path;
use std::process::{Command, Stdio};

use super::raw::Life;
use super::{Bench, Round, SUBMITTERS, median, of, rates};
use crate::table::{per_second, print};

/// How often a run is tried.
const ATTEMPTS: usize = 4;

const PEERS: [&str; 2] = ["graphile", "apalis"];

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let program = build()?;
    let mut rows = Vec::new();
    for submitters in SUBMITTERS {
        let (mut raw, mut ours) = (Vec::new(), Vec::new());
        let mut peers = PEERS.map(|_| Vec::new());
        for _ in 0..bench.rounds {
            raw.push(bench.raw(submitters, Life::Two).await?);
            ours.push(bench.ours(submitters).await?);
            for (rounds, name) in peers.iter_mut().zip(PEERS) {
                rounds.push(bench.patiently(&program, name, submitters).await?);
            }
        }
        let mut row = vec![
            submitters.to_string(),
            per_second(rates(&raw)),
            per_second(rates(&ours)),
            of(&ours, &raw),
            transactions(&ours),
        ];
        for rounds in &peers {
            row.push(per_second(rates(rounds)));
            row.push(of(&ours, rounds));
            row.push(transactions(rounds));
        }
        rows.push(row);
    }
    print(
        "Start to durable result beside other queues (PostgreSQL, fsync)",
        &[
            "submitters",
            "raw, 2 statements",
            "lro-postgres",
            "of raw",
            "transactions each",
            "graphile_worker",
            "ours / theirs",
            "transactions each",
            "apalis-postgres",
            "ours / theirs",
            "transactions each",
        ],
        &rows,
    );
    Ok(())
}

fn transactions(rounds: &[Round]) -> String {
    let each = median(rounds.iter().map(|round| round.transactions));
    format!("{each:.2}")
}

/// Builds the program, and says where it is.
pub(super) fn build() -> anyhow::Result<std::path::PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()?;
    anyhow::ensure!(status.success(), "the peers were not built ({status})");
    Ok(target.join("release/peers"))
}

impl Bench {
    /// A run that does not come to its end, because a job was lost, is said and done again.
    pub(super) async fn patiently(
        &self,
        program: &Path,
        name: &str,
        submitters: usize,
    ) -> anyhow::Result<Round> {
        for _ in 1..ATTEMPTS {
            match self.peer(program, name, submitters).await {
                Ok(round) => return Ok(round),
                Err(error) => eprintln!("{submitters} submitters: {error}"),
            }
        }
        self.peer(program, name, submitters).await
    }

    /// One run of a peer, in a database of its own. Its figures come as one line: jobs, seconds
    /// and bytes of WAL.
    async fn peer(&self, program: &Path, name: &str, submitters: usize) -> anyhow::Result<Round> {
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        self.meter.run(&drop).await?;
        self.meter.run(&format!("CREATE DATABASE {name}")).await?;
        let url = self
            .cluster
            .url()
            .replace("/postgres?", &format!("/{name}?"));
        let output = Command::new(program)
            .arg(name)
            .arg(url)
            .arg(submitters.to_string())
            .arg(self.span.as_millis().to_string())
            .stderr(Stdio::inherit())
            .output()?;
        anyhow::ensure!(output.status.success(), "{name} failed ({})", output.status);
        let text = String::from_utf8(output.stdout)?;
        let figures = text.split_whitespace().map(str::parse);
        let figures: Vec<f64> = figures.collect::<Result<_, _>>()?;
        let [jobs, seconds, wal] = figures[..] else {
            anyhow::bail!("{name} says {text:?}");
        };
        let transactions = self.meter.transactions_of(name).await?;
        self.meter.run("CHECKPOINT").await?;
        Ok(Round {
            rate: jobs / seconds,
            samples: Vec::new(),
            transactions: transactions as f64 / jobs,
            wal_bytes: wal / jobs,
            row_bytes: 0,
        })
    }
}
