//! HTTP/JSON on the port of gRPC, and the web console on a port of its own.
//!
//! Run: `cargo run -p basics --bin http_json`. It prints
//!
//! ```text
//! {"done":true,"response":{"@type":"type.googleapis.com/exporter.v1.ExportResponse","tablesExported":2}}
//! the console answers HTTP/1.1 200 OK
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use basics::pb;
use basics::pb::exporter_server::ExporterServer;
use basics::{Result, TableExporter};
use lro_console::Console;
use lro_core::store::MemoryStore;
use lro_gateway::{Gateway, HttpRule};
use lro_server::serve::Server;
use lro_server::{Operations, Worker};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result {
    let operations = Operations::builder(MemoryStore::new())
        .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)? // to write messages as JSON
        .build();
    let exporter = Arc::new(TableExporter::new(operations.clone()));
    let worker = Worker::builder(&operations)
        .host(exporter.clone())
        .start()
        .await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?; // port 8080, for example
    let console_address = listener.local_addr()?;
    let console = Console::of_server(&operations)?.title("exporter");
    let (closing, closed) = oneshot::channel::<()>();
    let console = tokio::spawn(console.serve(listener, async { drop(closed.await) }));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut called = Ok(());
    Server::builder(&operations)
        .add_service(ExporterServer::from_arc(exporter))
        .worker(worker)
        .http(|services| {
            Gateway::builder(services.clone())
                .file_descriptor_sets(services.descriptor_sets())
                .max_body(services.limits().max_decode_len)
                // In place of an annotation in the proto.
                .rule(
                    "exporter.v1.Exporter/Export",
                    HttpRule::new("POST", "/v1/exports").body("*"),
                )
                .build()
        })
        .serve(listener, async {
            called = call(address, console_address).await;
        })
        .await?;
    drop(closing);
    console.await??;
    called
}

async fn call(address: SocketAddr, console_address: SocketAddr) -> Result {
    let body = r#"{"tables": ["users", "orders"]}"#;
    let (_, started) = http(address, "POST /v1/exports", body).await?;
    let name = started.split('"').nth(3).ok_or("the answer has a name")?;
    let wait = format!("POST /v1/{name}:wait?$fields=done,response");
    let (_, done) = http(address, &wait, "{}").await?;
    println!("{done}");
    let (status, _) = http(console_address, "GET /", "").await?;
    println!("the console answers {status}");
    Ok(())
}

/// The status line and the body of the answer to a request. curl does the same.
async fn http(address: SocketAddr, request: &str, body: &str) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.lines().next().unwrap_or_default();
    Ok((status.to_owned(), body.to_owned()))
}
