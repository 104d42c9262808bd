//! Measures notification latency between three stores that communicate only through the server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_postgres::PostgresStore;
use lro_server::{OperationContext, Operations, Worker, long_running};
use tonic::{Request, Response, Status};

use super::Bench;
use crate::service::Server;
use crate::table::{percentiles, print};

const SAMPLES: usize = 300;

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (how, listen, samples) in [
        ("by notifications", true, SAMPLES),
        ("by polling alone", false, SAMPLES / 10),
    ] {
        let schema = if listen { "heard" } else { "polled" };
        let store = async || -> anyhow::Result<PostgresStore> {
            let store = PostgresStore::builder(bench.cluster.url()).schema(schema);
            let store = store.notifications(listen).open().await?;
            let begun = Instant::now();
            while listen && !store.is_listening() {
                anyhow::ensure!(
                    begun.elapsed() < Duration::from_secs(10),
                    "nothing is heard"
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(store)
        };
        let front = Server::front(store().await?);
        let waiter = Operations::new(store().await?);
        let operations = Operations::new(store().await?);
        let clock = Arc::new(Stopwatch {
            operations: operations.clone(),
            ran: Mutex::new(None),
        });
        let _worker = Worker::builder(&operations)
            .host(clock.clone())
            .start()
            .await?;
        let (mut alone, mut taken, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..samples {
            let begun = Instant::now();
            let name = front.begin("now").await?;
            let started = Instant::now();
            let done = waiter.wait(&name, None).await?;
            let heard = Instant::now();
            anyhow::ensure!(done.done, "{name} has not ended");
            let ran = clock
                .ran
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            let ran = ran.ok_or_else(|| anyhow::anyhow!("{name} was not run"))?;
            alone.push(started - begun);
            taken.push(ran.saturating_duration_since(started));
            seen.push(heard.saturating_duration_since(ran));
        }
        rows.push(vec![
            how.to_owned(),
            percentiles(alone),
            percentiles(taken),
            percentiles(seen),
        ]);
    }
    print(
        "Three nodes, one operation at a time (PostgreSQL): p50 / p99",
        &[
            "how",
            "the start, on the first",
            "from its answer to the body, on the second",
            "from the body's end to the waiter, on the third",
        ],
        &rows,
    );
    Ok(())
}

/// Notes when its body ran.
struct Stopwatch {
    operations: Operations,
    ran: Mutex<Option<Instant>>,
}

#[long_running]
impl pb::exporter_server::Exporter for Stopwatch {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        _request: ExportRequest,
        _operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let mut ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
        *ran = Some(Instant::now());
        Ok(ExportResponse::default())
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(Table { name, rows: 0 }))
    }
}
