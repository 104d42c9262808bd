//! The service over real gRPC, its operations in SQLite.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use archiver::pb::{
    Archive, DeleteArchiveRequest, GetArchiveRequest, ListArchivesRequest, VerifyArchiveMetadata,
    VerifyArchiveRequest, VerifyArchiveResponse,
};
use lro_client::{IntoPoller as _, ListOptions, WaitError};
use support::server::start;
use support::{Clients, Folders, request, tree};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details.error_info().expect("an ErrorInfo").reason.clone()
}

fn bad_field(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(reason(status), "INVALID_FIELD");
    let details = status.get_error_details();
    let violations = &details
        .bad_request()
        .expect("a BadRequest")
        .field_violations;
    violations[0].field.clone()
}

async fn made(clients: &mut Clients, source: &Path, id: &str) -> Archive {
    let name = clients.create(source, id).await;
    clients.poller(&name).until_done().await.unwrap()
}

async fn verify(
    clients: &mut Clients,
    name: &str,
) -> Result<VerifyArchiveResponse, WaitError<VerifyArchiveResponse, VerifyArchiveMetadata>> {
    let name = name.to_owned();
    let started = clients
        .archiver
        .verify_archive(VerifyArchiveRequest { name });
    let started = started.await.unwrap();
    started.into_poller(&clients.operations).until_done().await
}

async fn delete(clients: &mut Clients, name: &str) -> Result<(), Status> {
    let name = name.to_owned();
    let started = clients
        .archiver
        .delete_archive(DeleteArchiveRequest { name });
    let poller = started.await?.into_poller(&clients.operations);
    poller.until_done().await.map_err(Into::into)
}

async fn get(clients: &mut Clients, name: &str) -> Result<Archive, Status> {
    let name = name.to_owned();
    let archive = clients.archiver.get_archive(GetArchiveRequest { name });
    Ok(archive.await?.into_inner())
}

async fn operations(clients: &Clients) -> usize {
    let options = ListOptions::default();
    let page = clients.operations.list("", &options).await.unwrap();
    page.operations.len()
}

#[tokio::test]
async fn rejected_requests_start_no_operation() {
    let folders = Folders::new();
    let (server, mut clients) = start(&folders.data()).await;
    let source = folders.small("source");
    let file = source.join("file");
    let missing = source.join("missing");
    let mut refused = async |source: &Path, id: &str| {
        let answer = clients.archiver.create_archive(request(source, id)).await;
        answer.unwrap_err()
    };
    let not_found = refused(&missing, "a").await;
    assert_eq!(not_found.code(), Code::NotFound);
    assert_eq!(reason(&not_found), "SOURCE_NOT_FOUND");
    for path in [&file, Path::new("relative"), Path::new(""), &folders.data()] {
        let field = bad_field(&refused(path, "a").await);
        assert_eq!(field, "source_directory", "{}", path.display());
    }
    for id in ["A", "a/b", "..", "-"] {
        assert_eq!(bad_field(&refused(&source, id).await), "archive_id", "{id}");
    }
    for name in ["archives/unknown", "archives/A", "unknown"] {
        let expected = match name {
            "archives/unknown" => Code::NotFound,
            _ => Code::InvalidArgument,
        };
        let verify = VerifyArchiveRequest { name: name.into() };
        let verify = clients.archiver.verify_archive(verify).await;
        assert_eq!(verify.unwrap_err().code(), expected, "{name}");
        let deleted = delete(&mut clients, name).await;
        assert_eq!(deleted.unwrap_err().code(), expected, "{name}");
        let got = get(&mut clients, name).await;
        assert_eq!(got.unwrap_err().code(), expected, "{name}");
    }
    assert_eq!(operations(&clients).await, 0);

    made(&mut clients, &source, "a").await;
    let exists = clients.archiver.create_archive(request(&source, "a"));
    let exists = exists.await.unwrap_err();
    assert_eq!(exists.code(), Code::AlreadyExists);
    assert_eq!(reason(&exists), "ARCHIVE_ALREADY_EXISTS");
    assert_eq!(operations(&clients).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn an_archive_from_its_making_to_its_end() {
    let folders = Folders::new();
    let (server, mut clients) = start(&folders.data()).await;
    let source = folders.source("source");
    tree::grow(&source);
    let archive = made(&mut clients, &source, "").await;
    assert!(archive.name.starts_with("archives/source-"), "{archive:?}");
    let path = Path::new(&archive.path);
    assert_eq!(archive.sha256, tree::sha256(path));
    assert_eq!(archive.size_bytes as u64, path.metadata().unwrap().len());
    let counts = (
        archive.file_count,
        archive.directory_count,
        archive.symlink_count,
    );
    assert_eq!(counts, (3_002, 80, 40));
    tree::assert_unpacks_to(path, &source);
    assert_eq!(get(&mut clients, &archive.name).await.unwrap(), archive);

    let sound = verify(&mut clients, &archive.name).await.unwrap();
    assert_eq!(
        (sound.archive, sound.sha256),
        (archive.name.clone(), archive.sha256)
    );
    assert_eq!(
        (sound.file_count, sound.size_bytes),
        (3_002, archive.size_bytes)
    );

    delete(&mut clients, &archive.name).await.unwrap();
    let missing = get(&mut clients, &archive.name).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(folders.archived(), [""; 0]);
    let again = delete(&mut clients, &archive.name).await.unwrap_err();
    assert_eq!(reason(&again), "ARCHIVE_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn damage_is_found() {
    let folders = Folders::new();
    let (server, mut clients) = start(&folders.data()).await;
    let source = folders.small("source");
    let archive = made(&mut clients, &source, "a").await;
    let other = made(&mut clients, &folders.small("other"), "b").await;

    // Sound in itself, and not what was made.
    fs::copy(&other.path, &archive.path).unwrap();
    let exchanged = verify(&mut clients, &archive.name).await.unwrap_err();
    assert_eq!(exchanged.code(), Code::DataLoss, "{exchanged}");
    assert!(
        exchanged.to_string().contains(&archive.sha256),
        "{exchanged}"
    );

    let mut bytes = fs::read(&archive.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive.path, bytes).unwrap();
    let corrupt = verify(&mut clients, &archive.name).await.unwrap_err();
    assert!(
        corrupt.is_failed() && corrupt.code() == Code::DataLoss,
        "{corrupt}"
    );

    fs::remove_file(&archive.path).unwrap();
    let missing = verify(&mut clients, &archive.name).await.unwrap_err();
    assert_eq!(missing.code(), Code::DataLoss, "{missing}");
    let details = missing.details();
    assert_eq!(details.error_info().unwrap().reason, "ARCHIVE_DAMAGED");
    assert!(missing.to_string().contains("missing"), "{missing}");
    server.stop().await;
}

#[tokio::test]
async fn cancelled_it_leaves_nothing() {
    let folders = Folders::new();
    let (server, mut clients) = start(&folders.data()).await;
    let source = folders.endless("source");
    let name = clients.create(&source, "a").await;
    clients.wait_for(&name, |it| it.archive_bytes > 0).await;
    assert_eq!(folders.archived(), ["a.tar.zst.partial"]);

    // Meanwhile no other operation works on it.
    let second = clients.archiver.create_archive(request(&source, "a"));
    let second = second.await.unwrap_err();
    assert_eq!(second.code(), Code::Aborted);
    assert!(second.message().contains(&name), "{second:?}");

    clients.operations.cancel(&name).await.unwrap();
    let error = clients.poller(&name).until_done().await.unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    // The operation is done only when its work has ended and is undone.
    assert_eq!(folders.archived(), [""; 0]);
    let missing = get(&mut clients, "archives/a").await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    made(&mut clients, &folders.small("small"), "a").await;
    server.stop().await;
}

/// spec:126 spec:131
#[tokio::test]
async fn a_repeated_request_id_is_the_same_operation() {
    let folders = Folders::new();
    let (server, mut clients) = start(&folders.data()).await;
    let mut request = request(&folders.small("source"), "a");
    request.request_id = "once".to_owned();
    let first = clients.archiver.create_archive(request.clone()).await;
    let first = first.unwrap().into_inner();
    let archive = clients.poller(first.name()).until_done().await.unwrap();
    let again = clients.archiver.create_archive(request.clone()).await;
    let again = again.unwrap().into_inner();
    assert_eq!(again.name(), first.name());
    assert_eq!(again.outcome().unwrap().response().unwrap(), archive);
    request.archive_id = "b".to_owned();
    let other = clients.archiver.create_archive(request.clone()).await;
    assert_eq!(other.unwrap_err().code(), Code::InvalidArgument);
    request.archive_id = "a".to_owned();
    std::fs::remove_dir_all(&request.source_directory).unwrap();
    let again = clients.archiver.create_archive(request).await;
    assert_eq!(
        again.unwrap().get_ref().name(),
        first.name(),
        "its source was removed"
    );
    server.stop().await;
}

/// spec:32
#[tokio::test]
async fn skipped_files_are_a_partial_failure() {
    let folders = Folders::new();
    let (server, mut clients) = start(&folders.data()).await;
    let source = folders.small("source");
    let _socket = UnixListener::bind(source.join("socket")).unwrap();
    let name = clients.create(&source, "a").await;
    let archive = clients.poller(&name).until_done().await.unwrap();
    assert_eq!((archive.file_count, archive.skipped_count), (1, 1));
    let failure = &archive.partial_failures[0];
    assert!(failure.message.starts_with("socket: "), "{failure:?}");
    let metadata = clients.metadata(&name).await;
    assert_eq!(metadata.skipped_count, 1);
    assert_eq!(metadata.partial_failures, archive.partial_failures);
    server.stop().await;
}

#[tokio::test]
async fn lists_have_pages() {
    let folders = Folders::new();
    let (server, mut clients) = start(&folders.data()).await;
    let source = folders.small("source");
    for id in ["c", "a", "e", "b", "d"] {
        made(&mut clients, &source, id).await;
    }
    let mut request = ListArchivesRequest {
        page_size: 2,
        ..ListArchivesRequest::default()
    };
    let mut pages = Vec::new();
    loop {
        let page = clients.archiver.list_archives(request.clone()).await;
        let page = page.unwrap().into_inner();
        let names: Vec<_> = page.archives.into_iter().map(|it| it.name).collect();
        pages.push(names.join(" ").replace("archives/", ""));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, ["a b", "c d", "e"]);
    request.page_token = "nonsense".to_owned();
    let nonsense = clients.archiver.list_archives(request.clone()).await;
    assert_eq!(bad_field(&nonsense.unwrap_err()), "page_token");
    request.page_size = -1;
    let negative = clients.archiver.list_archives(request).await;
    assert_eq!(bad_field(&negative.unwrap_err()), "page_size");
    server.stop().await;
}

#[tokio::test]
async fn a_start_removes_abandoned_files_and_keeps_the_rest() {
    let folders = Folders::new();
    let (server, mut clients) = start(&folders.data()).await;
    let kept = clients.create(&folders.endless("endless"), "kept").await;
    clients.wait_for(&kept, |it| it.archive_bytes > 0).await;
    made(&mut clients, &folders.small("small"), "small").await;
    server.stop().await;
    assert!(
        folders
            .archived()
            .contains(&"kept.tar.zst.partial".to_owned())
    );
    for stray in [
        "a.tar.zst.partial",
        "b.tar.zst",
        "c.tar.zst.meta.new",
        "other",
    ] {
        fs::write(folders.archives().join(stray), "stray").unwrap();
    }

    let (server, clients) = start(&folders.data()).await;
    clients.wait_for(&kept, |it| it.resumed_bytes > 0).await;
    let names = [
        "kept.tar.zst.partial",
        "other",
        "small.tar.zst",
        "small.tar.zst.meta",
    ];
    assert_eq!(folders.archived(), names);
    clients.operations.cancel(&kept).await.unwrap();
    clients.poller(&kept).until_done().await.unwrap_err();
    server.stop().await;
}
