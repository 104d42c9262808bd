//! A server for callers in other languages. It serves until its standard input is closed.
//!
//! Run: `cargo run -p basics --bin serve -- 127.0.0.1:50051`. It prints
//!
//! ```text
//! serving on 127.0.0.1:50051
//! ```

use std::sync::Arc;

use basics::pb::FILE_DESCRIPTOR_SET;
use basics::pb::exporter_server::ExporterServer;
use basics::{Result, TableExporter};
use lro_core::store::MemoryStore;
use lro_server::serve::Server;
use lro_server::{Operations, Worker};
use tokio::io::{AsyncReadExt as _, stdin};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Arc::new(TableExporter::new(operations.clone()));
    let worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await?;
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("serving on {}", listener.local_addr()?);
    Server::builder(&operations)
        .add_service(ExporterServer::from_arc(exporter))
        .file_descriptor_set(FILE_DESCRIPTOR_SET)
        .worker(worker)
        .serve(listener, async {
            let mut nothing = Vec::new();
            stdin().read_to_end(&mut nothing).await.unwrap_or_default();
        })
        .await?;
    // Tokio reads standard input on a thread that the runtime would wait for.
    std::process::exit(0);
}
