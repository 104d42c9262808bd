//! Other queues on PostgreSQL, with no-op jobs whose results are kept, and workflows of ten steps:
//! `peers NAME URL SUBMITTERS MILLIS`. Prints how many jobs, in how many seconds, with how many bytes of WAL.
//!
//! The figures favour them: a submitter continues as soon as its job has run in this process, which
//! here costs the server nothing, and not when it has seen the result in the database. The clock
//! stops when all results are there.

mod apalis_queue;
mod dbos_workflows;
mod graphile;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::oneshot;

/// How many connections each of them has.
const CONNECTIONS: u32 = 20;

/// How long a job may take, and all results after the last one has run.
const PATIENCE: Duration = Duration::from_secs(10);

/// A queue with its worker.
trait Peer: Clone + Send + 'static {
    /// Adds a job of about as many bytes as an operation of the benchmark has.
    fn submit(&mut self, id: u64) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// How many results are in the database.
    const RESULTS: &str;
}

/// The waiters, by job.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>);

impl Waiting {
    fn begin(&self, id: u64) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, tell);
        told
    }

    fn end(&self, id: u64) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tell) = waiting.remove(&id) {
            // A submitter that has left needs no answer.
            let _ = tell.send(());
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, url, submitters, millis] = &arguments[..] else {
        anyhow::bail!("peers graphile|apalis|dbos URL SUBMITTERS MILLIS");
    };
    let submitters = submitters.parse()?;
    let span = Duration::from_millis(millis.parse()?);
    let options = PgPoolOptions::new().max_connections(CONNECTIONS);
    let pool = options.connect(url).await?;
    let waiting = Waiting::default();
    match name.as_str() {
        "graphile" => {
            let peer = graphile::start(&pool, waiting.clone()).await?;
            measure(peer, waiting, &pool, submitters, span).await?;
        }
        "apalis" => {
            let peer = apalis_queue::start(&pool, waiting.clone()).await?;
            measure(peer, waiting, &pool, submitters, span).await?;
        }
        "dbos" => {
            let peer = dbos_workflows::start(url, waiting.clone()).await?;
            measure(peer, waiting, &pool, submitters, span).await?;
        }
        name => anyhow::bail!("who is {name}?"),
    }
    // The workers are not asked to end: one of them spins when its pool is closed.
    std::process::exit(0)
}

async fn measure<P: Peer>(
    peer: P,
    waiting: Waiting,
    pool: &PgPool,
    submitters: usize,
    span: Duration,
) -> anyhow::Result<()> {
    // The first job shows that the worker listens.
    one(&mut peer.clone(), &waiting, u64::MAX >> 16).await?;
    let before = wal(pool).await?;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..submitters as u64)
        .map(|submitter| {
            let (mut peer, waiting) = (peer.clone(), waiting.clone());
            tokio::spawn(async move {
                let mut count = 0;
                while begun.elapsed() < span {
                    one(&mut peer, &waiting, submitter << 32 | count).await?;
                    count += 1;
                }
                anyhow::Ok(count)
            })
        })
        .collect();
    let mut jobs = 0;
    for task in tasks {
        jobs += task.await??;
    }
    let ran = begun.elapsed();
    let mut took = ran;
    loop {
        let results: i64 = sqlx::query_scalar(P::RESULTS).fetch_one(pool).await?;
        if u64::try_from(results)? > jobs {
            break;
        }
        took = begun.elapsed();
        anyhow::ensure!(took < ran + PATIENCE, "{results} results of {jobs} jobs");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let wal = self::wal(pool).await? - before;
    println!("{jobs} {} {wal}", took.as_secs_f64());
    Ok(())
}

async fn one(peer: &mut impl Peer, waiting: &Waiting, id: u64) -> anyhow::Result<()> {
    let told = waiting.begin(id);
    peer.submit(id).await?;
    let told = tokio::time::timeout(PATIENCE, told).await;
    told.with_context(|| format!("job {id} does not run"))??;
    Ok(())
}

async fn wal(pool: &PgPool) -> anyhow::Result<i64> {
    let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
    Ok(sqlx::query_scalar(sql).fetch_one(pool).await?)
}
