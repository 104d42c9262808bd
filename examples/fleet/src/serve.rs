//! A front end: answers calls, and runs nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use lro_console::Console;
use lro_server::Operations;
use lro_server::serve::Server;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

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
    /// The address of a web console, a loopback one; without it there is none.
    #[arg(long)]
    console: Option<SocketAddr>,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let store = options.store.open().await.context("the database")?;
    // No worker: operations are started, and other processes claim them.
    let operations = Operations::builder(store)
        .file_descriptor_set(fleet::pb::FILE_DESCRIPTOR_SET)
        .context("the descriptors of the protos")?
        .build();
    let fleet = Fleet {
        operations: operations.clone(),
        worker: String::new(),
    };
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", options.listen))?;
    println!("listening on {}", listener.local_addr()?);
    let (closing, closed) = oneshot::channel::<()>();
    let served = async {
        let server =
            Server::builder(&operations).add_service(FleetServer::from_arc(Arc::new(fleet)));
        let served = server.serve(listener, shutdown()).await;
        drop(closing);
        anyhow::Ok(served?)
    };
    let shown = async {
        let Some(address) = options.console else {
            return Ok(());
        };
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        println!("console on http://{}/", listener.local_addr()?);
        let console = Console::of_server(&operations)?.title("fleet");
        console
            .serve(listener, async { drop(closed.await) })
            .await?;
        Ok(())
    };
    tokio::try_join!(served, shown).map(|_| ())
}

/// Ends with a signal to the process. Without signals it can only be killed.
async fn shutdown() {
    if told_to_end().await.is_err() {
        std::future::pending::<()>().await;
    }
}
