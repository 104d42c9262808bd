//! The server as a process that is killed at each thing that it does.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use approval::Desk;
use approval::pb::publisher_client::PublisherClient;
use approval::pb::{Approval, ApproveRequest, PublishMetadata, PublishRequest, Published};
use lro_client::{OperationsClient, Poller};
use tonic::transport::Channel;

/// A server, killed when it is dropped.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_approval"))
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

    async fn connect(&self) -> (PublisherClient<Channel>, OperationsClient) {
        let channel = Channel::from_shared(self.url.clone()).unwrap();
        let channel = channel.connect().await.unwrap();
        (
            PublisherClient::new(channel.clone()),
            OperationsClient::new(channel),
        )
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
async fn killed_at_everything_that_it_does_it_publishes_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (mut publisher, _) = server.connect().await;
    let request = PublishRequest {
        document: "contract".into(),
    };
    let started = publisher.publish(request).await.unwrap().into_inner();
    let name = started.name().to_owned();
    drop(server);

    assert_eq!(Server::start(folder.path()).next_line(), "reading contract");
    // The first thing that a process does may be a repetition; the second is not.
    let mut seen = Vec::new();
    while !is_waiting(&seen) {
        assert!(seen.len() < 20, "{seen:?}");
        let mut server = Server::start(folder.path());
        seen.push(server.next_line());
        if !is_waiting(&seen) {
            seen.push(server.next_line());
        }
    }

    let server = Server::start(folder.path());
    let (mut publisher, _) = server.connect().await;
    let answer = ApproveRequest {
        operation: name.clone(),
        approval: Some(Approval {
            approved: true,
            by: "Kim".into(),
            comment: String::new(),
        }),
    };
    publisher.approve(answer.clone()).await.unwrap();
    drop(server);

    let mut server = Server::start(folder.path());
    while server.next_line() != "publishing contract" {}
    drop(server);

    let server = Server::start(folder.path());
    let (mut publisher, operations) = server.connect().await;
    let poller: Poller<Published, PublishMetadata> = Poller::resume(name, &operations);
    let published = poller.until_done().await.unwrap();
    assert_eq!(published.approved_by, "Kim");
    let desk = Desk::new(folder.path());
    assert_eq!(
        desk.published("contract").unwrap(),
        "the text of contract\n"
    );
    // Sent at most once, although it was killed while it sent.
    assert!(desk.mails().unwrap().len() <= 1, "{seen:?}");
    let late = publisher.approve(answer).await.unwrap_err();
    assert_eq!(late.code(), tonic::Code::FailedPrecondition, "{late}");
}

fn is_waiting(seen: &[String]) -> bool {
    seen.last()
        .is_some_and(|line| line == "waiting for legal@example.com")
}
