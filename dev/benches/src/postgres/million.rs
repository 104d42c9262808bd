//! Whether what has ended makes the queue slower.

use std::time::{Duration, Instant};

use lro_core::pack;
use lro_core::store::{
    Claim, Command, NewOperation, OperationOutcome, OperationStore as _, Suspects, Update, WorkerId,
};
use uuid::Uuid;

use super::Bench;
use crate::service::request;
use crate::table::{percentiles, print};

const SAMPLES: usize = 500;
const METHOD: &str = "/benches.Exporter/Export";
const LEASE: Duration = Duration::from_secs(30);

pub(super) async fn run(bench: &Bench, million: usize) -> anyhow::Result<()> {
    let schema = "million";
    let store = bench.store(schema).await?;
    let worker = WorkerId::from_uuid(Uuid::new_v4());
    let claim = Claim {
        worker,
        methods: [(METHOD.to_owned(), 1)].into(),
        limit: 1,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: true,
    };
    let mut rows = Vec::new();
    let mut there = 0;
    for size in [10, million] {
        bench.meter.run(&fill(schema, size - there)).await?;
        there = size;
        let (mut starts, mut claims, mut finishes, mut empty) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..SAMPLES {
            let uid = Uuid::now_v7();
            let name = format!("operations/{uid}").parse()?;
            let operation = NewOperation::new(uid, name, METHOD, pack(&request("now")));
            let begun = Instant::now();
            let started = store.start(vec![operation]).await?.remove(0)?.record;
            starts.push(begun.elapsed());
            let begun = Instant::now();
            let claimed = store.claim(claim.clone()).await?.operations;
            claims.push(begun.elapsed());
            anyhow::ensure!(claimed.len() == 1 && claimed[0].uid == uid, "not claimed");
            let command = Command::Finish {
                fence: claimed[0].fence,
                outcome: OperationOutcome::Response(pack(&())),
                metadata: None,
            };
            let finish = Update::by_uid(started.name, uid, command);
            let begun = Instant::now();
            let finished = store.update(vec![finish]).await?.remove(0);
            finishes.push(begun.elapsed());
            anyhow::ensure!(finished.is_ok(), "not finished: {finished:?}");
            let begun = Instant::now();
            let claimed = store.claim(claim.clone()).await?.operations;
            empty.push(begun.elapsed());
            anyhow::ensure!(claimed.is_empty(), "nothing was left");
        }
        rows.push(vec![
            size.to_string(),
            percentiles(starts),
            percentiles(claims),
            percentiles(empty),
            percentiles(finishes),
        ]);
    }
    print(
        "With finished operations in the database (PostgreSQL), alone: p50 / p99",
        &[
            "finished",
            "start",
            "claim of one",
            "claim of none",
            "finish",
        ],
        &rows,
    );
    Ok(())
}

/// Operations that have ended, as the store leaves them.
fn fill(schema: &str, count: usize) -> String {
    format!(
        "INSERT INTO {schema}.operation (uid, revision, attempt, fence, max_attempts, \
         retain_seconds, create_time, ready_time, update_time, start_time, end_time, expire_time, \
         retain_nanos, state, on_crash, result_kind, name, parent, method, result, request) \
         SELECT n.uid, 3, 1, 1, 3, 2592000, n.at, n.at, n.at, n.at, n.at, n.at + 2592000000000, 0, \
         3, 0, 0, 'operations/' || n.uid, '', '{METHOD}', '\\x00'::bytea, \
         decode(repeat('07', 250), 'hex') \
         FROM (SELECT gen_random_uuid() AS uid, \
         (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - i AS at \
         FROM generate_series(1, {count}) AS i) AS n"
    )
}
