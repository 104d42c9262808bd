//! A worker: claims operations from the database and runs them, and serves no rpc.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lro_server::{Operations, Worker};

use crate::service::Fleet;
use crate::{millis, store, told_to_end};

const SERVICE: &str = "/examples.fleet.v1.Fleet/";
const METHODS: [&str; 3] = ["Render", "Resize", "Watch"];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    store: store::Database,
    /// How responses and progress name this worker.
    #[arg(long, default_value = "worker")]
    name: String,
    /// The methods to run, with commas between them. Without it, all.
    #[arg(long, value_delimiter = ',', value_parser = METHODS)]
    methods: Vec<String>,
    /// How many operations to run at a time.
    #[arg(long, default_value_t = 100)]
    concurrency: usize,
    /// How long others wait for this worker when it is lost, in milliseconds.
    #[arg(long, value_parser = millis, default_value = "30000")]
    lease: Duration,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let store = options.store.open().await.context("the database")?;
    let operations = Operations::new(store);
    let fleet = Fleet {
        operations: operations.clone(),
        worker: options.name.clone(),
    };
    let methods = match options.methods.is_empty() {
        true => METHODS.map(str::to_owned).to_vec(),
        false => options.methods,
    };
    let paths = methods.iter().map(|method| format!("{SERVICE}{method}"));
    let worker = Worker::builder(&operations)
        .host(Arc::new(fleet))
        .only_methods(paths)
        .concurrency(options.concurrency)
        .lease_duration(options.lease)
        .start()
        .await?;
    println!("{} runs {}", options.name, methods.join(", "));
    told_to_end().await?;
    worker.drain().await;
    Ok(())
}
