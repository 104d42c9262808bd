//! A month of nights, during which the server is killed again and again.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use lro_client::{OperationsClient, Poller};
use nightly::Warehouse;
use nightly::pb::importer_client::ImporterClient;
use nightly::pb::{ImportMetadata, ImportRequest, Imported};
use tonic::transport::Channel;

/// A server, killed when it is dropped.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nightly"))
            .arg("serve")
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut server = Self {
            child,
            stdout: BufReader::new(stdout),
            url: String::new(),
        };
        let line = server.next_line();
        server.url = line.strip_prefix("listening on ").unwrap().to_owned();
        server
    }

    /// Waits for the next thing that it does.
    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the server has ended: {line:?}");
        line.trim_end().to_owned()
    }

    async fn connect(&self) -> Channel {
        let channel = Channel::from_shared(self.url.clone()).unwrap();
        channel.connect().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn killed_in_a_third_of_its_nights_a_month_is_imported_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut importer = ImporterClient::new(server.connect().await);
    let request = ImportRequest { nights: 30 };
    let started = importer.import(request).await.unwrap().into_inner();
    let name = started.name().to_owned();
    drop(server);

    for _ in 0..10 {
        let mut server = Server::start(folder.path());
        // The second line is of work that no earlier process has begun.
        server.next_line();
        server.next_line();
    }

    let server = Server::start(folder.path());
    let operations = OperationsClient::new(server.connect().await);
    let poller: Poller<Imported, ImportMetadata> = Poller::resume(name, &operations);
    let imported = poller.until_done().await.unwrap();
    let expected: Vec<_> = (10..40).collect();
    assert_eq!(Warehouse::new(folder.path()).nights().unwrap(), expected);
    assert_eq!(imported.rows, expected.iter().sum::<usize>() as u64);
}
