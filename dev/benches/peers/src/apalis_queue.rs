//! apalis-postgres with notifications. It keeps results itself, in batches.

use std::time::Duration;

use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::{Peer, Waiting};

#[derive(Clone, Deserialize, Serialize)]
struct Job {
    id: u64,
    filler: String,
}

#[derive(Clone)]
pub(crate) struct Apalis(PostgresStorage<Job>);

impl Peer for Apalis {
    const RESULTS: &str = "SELECT count(*) FROM apalis.jobs WHERE status = 'Done'";

    async fn submit(&mut self, id: u64) -> anyhow::Result<()> {
        let filler = "x".repeat(200);
        self.0.push(Job { id, filler }).await?;
        Ok(())
    }
}

pub(crate) async fn start(pool: &PgPool, waiting: Waiting) -> anyhow::Result<Apalis> {
    PostgresStorage::<()>::setup(pool).await?;
    let config = Config::default()
        .queue("jobs")
        .batch_size(100)
        .lock_tasks(false)
        .persist_results(true);
    let storage = PostgresStorage::<Job>::new(pool).with_config(config);
    let backend = storage
        .clone()
        .with_pubsub()
        .poll_with_interval(Duration::from_millis(200));
    let run = async |job: Job, waiting: Data<Waiting>| {
        waiting.end(job.id);
        Ok::<_, BoxDynError>("x".repeat(60))
    };
    let worker = WorkerBuilder::new("worker")
        .backend(backend)
        .data(waiting)
        .parallelize(tokio::spawn)
        .build(run);
    // The compiler cannot prove that its future may move to another thread.
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        if let Err(error) = runtime.block_on(worker.run()) {
            eprintln!("apalis-postgres has ended: {error}");
        }
    });
    Ok(Apalis(storage))
}
