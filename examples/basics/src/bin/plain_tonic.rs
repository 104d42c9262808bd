//! Operations on a plain tonic router, with the drain beside the router's shutdown.
//!
//! Run: `cargo run -p basics --bin plain_tonic`. It prints
//!
//! ```text
//! exported 1 tables
//! shut down
//! ```

use std::sync::Arc;

use basics::pb::exporter_client::ExporterClient;
use basics::pb::exporter_server::ExporterServer;
use basics::{Result, TableExporter, tables};
use lro_client::{IntoPoller as _, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::serve::GrpcOnlyLayer;
use lro_server::{Operations, Worker};
use tokio::sync::oneshot;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;

#[tokio::main]
async fn main() -> Result {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Arc::new(TableExporter::new(operations.clone()));
    let worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await?;
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let url = format!("http://{}", incoming.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let caller = tokio::spawn(async { call(url, stop).await.expect("the calls succeed") });

    let shutdown = async {
        stopped.await.unwrap_or_default();
        operations.close(); // answers pending waits
        worker.drain().await;
    };
    let router = tonic::transport::Server::builder()
        .layer(GrpcOnlyLayer::new()) // no calls from web pages
        .add_service(ExporterServer::from_arc(exporter))
        .add_service(operations.service());
    let serving = router.serve_with_incoming(incoming);
    tokio::select! {
        served = serving => served?,
        () = shutdown => {} // connections that are left end with the runtime
    }
    caller.await?;
    println!("shut down");
    Ok(())
}

async fn call(url: String, stop: oneshot::Sender<()>) -> Result {
    let channel = Channel::from_shared(url)?.connect().await?;
    let operations = OperationsClient::new(channel.clone());
    let mut exporter = ExporterClient::new(channel);
    let started = exporter.export(tables(["a"])).await?.into_inner();
    let response = started.into_poller(&operations).until_done().await?;
    println!("exported {} tables", response.tables_exported);
    let _ = stop.send(());
    Ok(())
}
