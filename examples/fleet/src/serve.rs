//! A front end: answers calls, and runs nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use lro_server::Operations;
use lro_server::serve::Server;
use tokio::net::TcpListener;

use crate::service::Fleet;
use crate::{store, told_to_end};
use fleet::pb::fleet_server::FleetServer;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    store: store::Database,
    /// The address to listen on; with port 0, on a free one.
    #[arg(long, default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let store = options.store.open().await.context("the database")?;
    // No worker: operations are started, and other processes claim them.
    let operations = Operations::new(store);
    let fleet = Fleet {
        operations: operations.clone(),
        worker: String::new(),
    };
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", options.listen))?;
    println!("listening on {}", listener.local_addr()?);
    Server::builder(&operations)
        .add_service(FleetServer::from_arc(Arc::new(fleet)))
        .serve(listener, async {
            // Without signals the process can only be killed.
            if told_to_end().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    Ok(())
}
