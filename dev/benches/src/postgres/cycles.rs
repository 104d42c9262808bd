//! Start to done in one process.

use super::raw::Life;
use super::{Bench, Round, SUBMITTERS, median, of, rates, samples};
use crate::table::{per_second, percentiles, print};

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let (mut speed, mut cost) = (Vec::new(), Vec::new());
    for submitters in SUBMITTERS {
        let (mut two, mut three, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.rounds {
            two.push(bench.raw(submitters, Life::Two).await?);
            ours.push(bench.ours(submitters).await?);
            three.push(bench.raw(submitters, Life::Three).await?);
        }
        for (name, rounds) in [
            ("raw, 2 statements", &two),
            ("raw, 3 statements", &three),
            ("lro-postgres", &ours),
        ] {
            cost.push(costs(submitters, name, rounds));
        }
        speed.push(vec![
            submitters.to_string(),
            per_second(rates(&two)),
            per_second(rates(&three)),
            per_second(rates(&ours)),
            of(&ours, &two),
            of(&ours, &three),
            percentiles(samples(two)),
            percentiles(samples(ours)),
        ]);
    }
    print(
        "Start to done in one process, durable (PostgreSQL, fsync)",
        &[
            "submitters",
            "raw, 2 statements",
            "raw, 3 statements",
            "lro-postgres",
            "of raw 2",
            "of raw 3",
            "raw 2: p50 / p99",
            "ours: p50 / p99",
        ],
        &speed,
    );
    print("What each of them costs the server", &COSTS, &cost);
    Ok(())
}

const COSTS: [&str; 5] = [
    "submitters",
    "who",
    "transactions per operation",
    "WAL per operation",
    "bytes of a row in the end",
];

fn costs(submitters: usize, name: &str, rounds: &[Round]) -> Vec<String> {
    let transactions = median(rounds.iter().map(|round| round.transactions));
    let wal = median(rounds.iter().map(|round| round.wal_bytes));
    let bytes = rounds.last().map_or(0, |round| round.row_bytes);
    vec![
        submitters.to_string(),
        name.to_owned(),
        format!("{transactions:.2}"),
        format!("{wal:.0} B"),
        bytes.to_string(),
    ]
}
