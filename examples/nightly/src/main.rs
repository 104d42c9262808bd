//! Imports files every night: a sleep that holds nothing, retried steps, and steps that are forgotten.
//!
//! Run: `cargo run -p nightly`. A day has a quarter of a second here. It prints
//!
//! ```text
//! night 0: 10 rows
//! night 1: 11 rows
//! night 2: the source is busy
//! night 2: 12 rows
//! night 3: 13 rows
//! imported 46 rows
//! ```
//!
//! `cargo run -p nightly -- serve FOLDER` serves until it is interrupted, with its database in that folder: kill it and
//! start it again in the middle of a month.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lro_client::{IntoPoller as _, OperationsClient};
use lro_server::serve::Server;
use lro_server::{Operations, Worker};
use lro_sqlite::SqliteStore;
use nightly::pb::ImportRequest;
use nightly::pb::importer_client::ImporterClient;
use nightly::pb::importer_server::ImporterServer;
use nightly::{Importer, Warehouse};
use tokio::net::TcpListener;
use tonic::transport::Channel;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// How long a day is in this program.
const DAY: Duration = Duration::from_millis(250);

#[tokio::main]
async fn main() -> Result {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("serve"), Some(folder)) => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("listening on http://{}", listener.local_addr()?);
            serve(&PathBuf::from(folder), listener, async {
                tokio::signal::ctrl_c().await.ok();
            })
            .await
        }
        (None, _) => demonstrate().await,
        _ => Err("usage: nightly [serve FOLDER]".into()),
    }
}

async fn serve(folder: &Path, listener: TcpListener, end: impl Future<Output = ()>) -> Result {
    let operations = Operations::new(SqliteStore::open(folder.join("operations.db")).await?);
    let warehouse = Warehouse::new(folder).printing();
    let importer = Arc::new(Importer::new(&operations, warehouse, DAY));
    let worker = Worker::builder(&operations)
        .host(importer.clone())
        .start()
        .await?;
    Server::builder(&operations)
        .add_service(ImporterServer::from_arc(importer))
        .worker(worker)
        .serve(listener, end)
        .await?;
    Ok(())
}

async fn demonstrate() -> Result {
    let folder = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut called = Ok(());
    serve(folder.path(), listener, async {
        called = call(url).await;
    })
    .await?;
    called
}

async fn call(url: String) -> Result {
    let channel = Channel::from_shared(url)?.connect().await?;
    let mut importer = ImporterClient::new(channel.clone());
    let started = importer
        .import(ImportRequest { nights: 4 })
        .await?
        .into_inner();
    let poller = started.into_poller(&OperationsClient::new(channel));
    let imported = poller.until_done().await?;
    println!("imported {} rows", imported.rows);
    Ok(())
}
