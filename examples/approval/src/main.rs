//! Publishes a document after an approval: durable steps, a promise with a timeout, and code that was added later.
//!
//! Run: `cargo run -p approval`. It prints
//!
//! ```text
//! reading contract
//! mail to legal@example.com
//! waiting for legal@example.com
//! waiting for legal@example.com
//! publishing contract
//! approved by Kim, published as contract.published.txt
//! ```
//!
//! With the answer the body runs again from its first line, and so prints again what is in no step.
//!
//! `cargo run -p approval -- serve FOLDER` serves until it is interrupted, with its database in that folder: kill it and
//! start it again while an operation waits.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use approval::pb::publisher_client::PublisherClient;
use approval::pb::publisher_server::PublisherServer;
use approval::pb::{Approval, ApproveRequest, PublishRequest};
use approval::{Desk, Publisher};
use lro_client::{IntoPoller as _, OperationsClient, PollingResult};
use lro_server::serve::Server;
use lro_server::{Operations, Worker};
use lro_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tonic::transport::Channel;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

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
        _ => Err("usage: approval [serve FOLDER]".into()),
    }
}

async fn serve(folder: &Path, listener: TcpListener, end: impl Future<Output = ()>) -> Result {
    let operations = Operations::new(SqliteStore::open(folder.join("operations.db")).await?);
    let desk = Desk::new(folder).printing();
    let publisher = Arc::new(Publisher::new(&operations, desk));
    let worker = Worker::builder(&operations)
        .host(publisher.clone())
        .start()
        .await?;
    Server::builder(&operations)
        .add_service(PublisherServer::from_arc(publisher))
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
    let mut publisher = PublisherClient::new(channel.clone());
    let request = PublishRequest {
        document: "contract".into(),
    };
    let started = publisher.publish(request).await?.into_inner();
    let mut poller = started.into_poller(&OperationsClient::new(channel));
    // The operation says in its metadata whom it waits for.
    while let PollingResult::InProgress(metadata) = poller.poll().await {
        if metadata.is_some_and(|it| !it.waits_for.is_empty()) {
            break;
        }
    }
    let approval = Approval {
        approved: true,
        by: "Kim".into(),
        comment: String::new(),
    };
    let answer = ApproveRequest {
        operation: poller.name().to_string(),
        approval: Some(approval),
    };
    publisher.approve(answer).await?;
    let published = poller.until_done().await?;
    println!(
        "approved by {}, published as {}",
        published.approved_by, published.file
    );
    Ok(())
}
