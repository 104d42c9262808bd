//! A worker process whose bodies may abort it: runs operations until all are done, and prints how each finished.
//!
//! ```text
//! poison sqlite FILE PLAN
//! poison postgres URL SCHEMA PLAN
//! ```
//!
//! PLAN is `MAX_ATTEMPTS,SLOTS` and then, for each operation, `sleep=MILLISECONDS` or
//! `abort=MILLISECONDS`, separated by commas.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{NewOperation, OperationStore};
use lro_core::{OperationName, pack};
use lro_postgres::PostgresStore;
use lro_server::{HandlerError, OperationContext, Operations, Worker, long_running};
use lro_sqlite::SqliteStore;
use lro_tests::poison::{TasteMetadata, TasteRequest, taster_server};
use uuid::Uuid;

#[derive(Debug)]
struct Host {
    operations: Operations,
}

#[long_running]
impl taster_server::Taster for Host {
    #[long_running(response = (), metadata = TasteMetadata)]
    async fn taste(
        &self,
        request: TasteRequest,
        _operation: OperationContext<TasteMetadata>,
    ) -> Result<(), HandlerError> {
        let step = &request.step;
        let (what, millis) = step.split_once('=').unwrap_or((step, "0"));
        let millis = millis.parse().unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        if what == "abort" {
            std::process::abort();
        }
        Ok(())
    }
}

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["sqlite", file, plan] => run(SqliteStore::open(file).await?, plan).await,
        ["postgres", url, schema, plan] => {
            let store = PostgresStore::builder(url).schema(schema).open().await?;
            run(store, plan).await
        }
        _ => Err("usage: poison sqlite FILE PLAN | poison postgres URL SCHEMA PLAN".into()),
    }
}

async fn run(store: impl OperationStore, plan: &str) -> Result<(), Failure> {
    let mut plan = plan.split(',');
    let max_attempts = plan.next().unwrap_or("1").parse()?;
    let slots = plan.next().unwrap_or("1").parse()?;
    let mut new = BTreeMap::new();
    for (number, step) in plan.enumerate() {
        let name: OperationName = format!("operations/{number}-{step}")
            .replace('=', "-")
            .parse()?;
        let step = step.to_owned();
        let request = pack(&TasteRequest { step });
        let method = "/poison.v1.Taster/Taste";
        let mut operation = NewOperation::new(Uuid::now_v7(), name.clone(), method, request);
        operation.policy.max_attempts = max_attempts;
        new.insert(name, operation);
    }
    let names: Vec<OperationName> = new.keys().cloned().collect();
    // A process that was restarted finds them already there.
    for started in store.start(new.into_values().collect()).await? {
        let _ = started.map_err(|error| eprintln!("{error}"));
    }
    let operations = Operations::new(store);
    let host = Arc::new(Host {
        operations: operations.clone(),
    });
    let worker = Worker::builder(&operations)
        .host(host)
        .concurrency(slots)
        .lease_duration(Duration::from_secs(2))
        .start()
        .await?;
    for name in names {
        let operation = loop {
            let operation = operations.wait(&name, None).await?;
            if operation.done {
                break operation;
            }
        };
        use lro_core::pb::operation::Result::{Error, Response};
        match operation.result {
            Some(Response(_)) => println!("{name} succeeded"),
            Some(Error(error)) => println!("{name} {}", error.message),
            None => println!("{name} has no result"),
        }
    }
    worker.drain().await;
    Ok(())
}
