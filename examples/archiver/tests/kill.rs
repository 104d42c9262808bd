//! The server as a process that is killed, and what the next one makes of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::path::Path;

use support::process::ServerProcess;
use support::{Clients, Folders, tree};

/// So small that there are many places to resume from.
const SERVE: [&str; 2] = ["--frame-bytes", "65536"];

#[tokio::test]
async fn killed_again_and_again_nothing_acknowledged_is_lost() {
    let folders = Folders::new();
    let source = folders.source("big");
    tree::grow(&source);

    // Right after the starts were acknowledged.
    let server = ServerProcess::start(&folders.data(), &SERVE);
    let mut clients = Clients::connect(&server.url).await;
    let mut small = Vec::new();
    for id in ["small-1", "small-2", "small-3"] {
        small.push(clients.create(&folders.small(id), id).await);
    }
    let big = clients.create(&source, "big").await;
    server.kill();
    let mut kills = 1;

    // While it packs, from the second time on in a run that has resumed another one's work.
    for percent in [10, 40, 80] {
        let server = ServerProcess::start(&folders.data(), &SERVE);
        let clients = Clients::connect(&server.url).await;
        let far = |done: i64, total: i64| total > 0 && done * 100 >= total * percent;
        let metadata = clients.wait_for(&big, |it| {
            far(it.files_done, it.files_total) && (kills == 1 || it.resumed_bytes > 0)
        });
        let metadata = metadata.await;
        assert!(metadata.files_done < metadata.files_total, "{metadata:?}");
        server.kill();
        kills += 1;
        let partial = "big.tar.zst.partial".to_owned();
        assert!(folders.archived().contains(&partial));
    }

    let server = ServerProcess::start(&folders.data(), &SERVE);
    let mut clients = Clients::connect(&server.url).await;
    let archive = clients.poller(&big).until_done().await.unwrap();
    let metadata = clients.metadata(&big).await;
    // A kill that took other operations along uses up no attempt, and checkpoints restore some.
    assert!((1..=kills + 1).contains(&metadata.attempt), "{metadata:?}");
    assert!(metadata.resumed_bytes > 0, "{metadata:?}");
    assert!(metadata.resumed_bytes < archive.size_bytes, "{metadata:?}");
    assert_eq!(metadata.files_done, metadata.files_total);
    assert_eq!(archive.file_count, metadata.files_total);
    assert_eq!(archive.skipped_count, 0, "{archive:?}");
    let path = Path::new(&archive.path);
    assert_eq!(archive.sha256, tree::sha256(path));
    tree::assert_unpacks_to(path, &source);

    for name in &small {
        let archive = clients.poller(name).until_done().await.unwrap();
        assert_eq!(archive.file_count, 1);
        assert_eq!(archive.sha256, tree::sha256(Path::new(&archive.path)));
    }
    let listed = clients
        .archiver
        .list_archives(archiver::pb::ListArchivesRequest::default());
    let listed = listed.await.unwrap().into_inner().archives;
    let names: Vec<_> = listed.iter().map(|it| &*it.name).collect();
    let ids = ["big", "small-1", "small-2", "small-3"];
    assert_eq!(names, ids.map(|id| format!("archives/{id}")));
    assert_eq!(listed[0], archive);
    let files = ids.map(|id| [format!("{id}.tar.zst"), format!("{id}.tar.zst.meta")]);
    assert_eq!(folders.archived(), files.concat());
}

#[tokio::test]
async fn sigterm_releases_operations_and_the_next_process_resumes_them() {
    let folders = Folders::new();
    let source = folders.source("big");
    tree::grow(&source);
    let serve = [&SERVE[..], &["--drain-timeout", "0"]].concat();

    let server = ServerProcess::start(&folders.data(), &serve);
    let mut clients = Clients::connect(&server.url).await;
    let big = clients.create(&source, "big").await;
    clients
        .wait_for(&big, |it| it.archive_bytes > 100_000)
        .await;
    let (status, more) = server.terminate();
    assert!(status.success(), "{status}");
    assert_eq!(more, "", "more than one line on stdout");

    let server = ServerProcess::start(&folders.data(), &serve);
    let clients = Clients::connect(&server.url).await;
    let archive = clients.poller(&big).until_done().await.unwrap();
    let metadata = clients.metadata(&big).await;
    assert!(metadata.resumed_bytes >= 100_000, "{metadata:?}");
    assert_eq!(metadata.attempt, 1, "a shutdown in order does not count");
    tree::assert_unpacks_to(Path::new(&archive.path), &source);
}

/// An operation that was cancelled when its process was killed does not run again. Whether the body still had the
/// time to clean up or the next start does it, nothing is left.
#[tokio::test]
async fn cancelled_and_killed_it_leaves_nothing() {
    let folders = Folders::new();
    let server = ServerProcess::start(&folders.data(), &SERVE);
    let mut clients = Clients::connect(&server.url).await;
    let endless = clients.create(&folders.endless("endless"), "endless").await;
    clients.wait_for(&endless, |it| it.archive_bytes > 0).await;
    server.kill();
    assert_eq!(folders.archived(), ["endless.tar.zst.partial"]);
    let server = ServerProcess::start(&folders.data(), &SERVE);
    let clients = Clients::connect(&server.url).await;
    clients.operations.cancel(&endless).await.unwrap();
    server.kill();

    let server = ServerProcess::start(&folders.data(), &SERVE);
    let clients = Clients::connect(&server.url).await;
    let error = clients.poller(&endless).until_done().await.unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(folders.archived(), [""; 0]);
    drop(server);
}
