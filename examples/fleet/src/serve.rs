//! A front end: answers calls, and runs nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use lro_server::Operations;
use tonic::transport::server::TcpIncoming;

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
    let incoming = TcpIncoming::bind(options.listen).map_err(|error| anyhow!("{error}"))?;
    let incoming = incoming.with_nodelay(Some(true));
    println!("listening on {}", incoming.local_addr()?);
    tonic::transport::Server::builder()
        .add_service(FleetServer::from_arc(Arc::new(fleet)))
        .add_service(operations.server())
        .serve_with_incoming_shutdown(incoming, async {
            // Without signals the process cannot learn of its end: it must be killed.
            if told_to_end().await.is_err() {
                std::future::pending::<()>().await;
            }
            operations.close();
        })
        .await?;
    Ok(())
}
