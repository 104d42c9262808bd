//! The whole path over TCP: generated client, poller, service, SQLite; and a restart on its file.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use archiver::pb::archiver_client::ArchiverClient;
use archiver::pb::{Archive, CreateArchiveMetadata, CreateArchiveRequest, DeleteArchiveRequest};
use archiver::{Server, ServerOptions};
use lro_client::{IntoPoller as _, ListOptions, OperationsClient, Poller, PollingResult};
use lro_core::Operation;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Code;
use tonic::transport::Channel;

type Creation = Poller<Archive, CreateArchiveMetadata>;

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

struct Fixture {
    archiver: ArchiverClient<Channel>,
    operations: OperationsClient,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), archiver::Error>>,
}

impl Fixture {
    async fn start(data: &Path) -> Self {
        let server = Server::bind(ServerOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            drain_timeout: Duration::from_millis(1),
            ..ServerOptions::new(data)
        });
        let server = server.await.unwrap();
        let channel = Channel::from_shared(format!("http://{}", server.address())).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(async {
            stopped.await.ok();
        }));
        let channel = channel.connect().await.unwrap();
        Self {
            archiver: ArchiverClient::new(channel.clone()),
            operations: OperationsClient::new(channel),
            stop,
            serving,
        }
    }

    async fn create(&mut self, source: &Path, id: &str) -> Creation {
        let request = CreateArchiveRequest {
            source_directory: source.to_str().unwrap().to_owned(),
            archive_id: id.to_owned(),
            request_id: String::new(),
        };
        let started = self.archiver.create_archive(request).await.unwrap();
        let poller = started.into_poller(&self.operations);
        poller.time_limit(PATIENCE)
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap().unwrap();
    }
}

/// A source with one file of that length, which need not have a place on the disk.
fn source(root: &Path, name: &str, length: u64) -> PathBuf {
    let source = root.join(name);
    fs::create_dir(&source).unwrap();
    let file = File::create(source.join("file")).unwrap();
    file.set_len(length).unwrap();
    source
}

async fn all_names(operations: &OperationsClient, page_size: i32) -> Vec<String> {
    let mut names = Vec::new();
    let mut options = ListOptions::new().page_size(page_size);
    loop {
        let page = operations.list("operations", &options).await.unwrap();
        assert!(page.operations.len() <= 2, "{page:?}");
        names.extend(page.operations.into_iter().map(|it| it.name));
        options.page_token = page.next_page_token;
        if options.page_token.is_empty() {
            return names;
        }
    }
}

#[tokio::test]
async fn from_the_call_to_the_typed_result_and_over_a_restart() {
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path();
    let data = root.join("data");
    let small = source(root, "small", 3);
    let endless = source(root, "endless", 1 << 40);

    let mut server = Fixture::start(&data).await;
    let mut names = Vec::new();
    for id in ["a", "b", "c"] {
        let poller = server.create(&small, id).await;
        names.push(poller.name().to_owned());
        let archive = poller.until_done().await.unwrap();
        assert_eq!((archive.file_count, archive.source_size_bytes), (1, 3));
    }

    // Watched, cancelled, and seen to be.
    let mut poller = server.create(&endless, "endless").await;
    names.push(poller.name().to_owned());
    loop {
        match poller.next_update().await {
            Some(PollingResult::InProgress(Some(metadata))) if metadata.bytes_done > 0 => break,
            Some(PollingResult::InProgress(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    poller.cancel().await.unwrap();
    let cancelled = poller.until_done().await.unwrap_err();
    assert!(cancelled.is_cancelled(), "{cancelled}");

    // One that is to see the restart.
    let running = server.create(&endless, "running").await;
    let running = running.name().to_owned();
    names.push(running.clone());
    names.reverse();
    assert_eq!(all_names(&server.operations, 2).await, names);
    let waited = server.operations.wait(&running, Duration::from_millis(1));
    assert!(!waited.await.unwrap().done);

    // Deleting an operation is not deleting what it has made.
    let forgotten = names.pop().unwrap();
    server.operations.delete(&forgotten).await.unwrap();
    let missing = server.operations.get(&forgotten).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    server.stop().await;

    let mut server = Fixture::start(&data).await;
    assert_eq!(all_names(&server.operations, 2).await, names);
    let done = server.operations.get(&names[2]).await.unwrap();
    let done = Operation::<Archive, CreateArchiveMetadata>::from(done);
    let archive = done.outcome().unwrap().response().unwrap();
    assert_eq!(archive.name, "archives/c");
    assert_eq!(done.metadata().unwrap().unwrap().files_done, 1);
    let poller = Creation::resume(&running, &server.operations).time_limit(PATIENCE);
    poller.cancel().await.unwrap();
    assert!(poller.until_done().await.unwrap_err().is_cancelled());

    let name = "archives/a".to_owned();
    let deleted = server
        .archiver
        .delete_archive(DeleteArchiveRequest { name });
    let deleted = deleted.await.unwrap().into_poller(&server.operations);
    deleted.time_limit(PATIENCE).until_done().await.unwrap();
    assert!(!data.join("archives/a.tar.zst").exists());
    assert!(data.join("archives/b.tar.zst").exists());
    server.stop().await;
}
