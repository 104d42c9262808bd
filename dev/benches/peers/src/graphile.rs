//! graphile_worker, with what its documentation advises for throughput. It keeps no results: the
//! job writes its own.

use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::{Peer, Waiting};

#[derive(Clone, Deserialize, Serialize)]
struct Job {
    id: u64,
    filler: String,
}

#[derive(Clone, Debug)]
struct Results {
    pool: PgPool,
    waiting: Waiting,
}

impl TaskHandler for Job {
    const IDENTIFIER: &'static str = "job";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(results) = context.get_ext::<Results>() else {
            return Err("no results".to_owned());
        };
        let id = i64::try_from(self.id).map_err(|error| error.to_string())?;
        sqlx::query("INSERT INTO result VALUES ($1, $2)")
            .bind(id)
            .bind(vec![7_u8; 60])
            .execute(&results.pool)
            .await
            .map_err(|error| error.to_string())?;
        results.waiting.end(self.id);
        Ok(())
    }
}

#[derive(Clone)]
pub(crate) struct Graphile(Arc<WorkerUtils>);

impl Peer for Graphile {
    const RESULTS: &str = "SELECT count(*) FROM result \
         WHERE NOT EXISTS (SELECT FROM graphile_worker._private_jobs)";

    async fn submit(&mut self, id: u64) -> anyhow::Result<()> {
        let filler = "x".repeat(200);
        let job = Job { id, filler };
        self.0.add_job(job, JobSpec::default()).await?;
        Ok(())
    }
}

pub(crate) async fn start(pool: &PgPool, waiting: Waiting) -> anyhow::Result<Graphile> {
    sqlx::query("CREATE TABLE result (id bigint PRIMARY KEY, result bytea NOT NULL)")
        .execute(pool)
        .await?;
    let worker = WorkerOptions::default()
        .schema("graphile_worker")
        .concurrency(256)
        .poll_interval(Duration::from_millis(200))
        .complete_job_batch_delay(Duration::from_millis(5))
        .local_queue(LocalQueueConfig::default().with_size(500))
        .add_extension(Results {
            pool: pool.clone(),
            waiting,
        })
        .define_job::<Job>()
        .pg_pool(pool.clone())
        .init()
        .await?;
    let utils = Arc::new(worker.create_utils());
    tokio::spawn(async move {
        if let Err(error) = worker.run().await {
            eprintln!("graphile_worker has ended: {error}");
        }
    });
    Ok(Graphile(utils))
}
