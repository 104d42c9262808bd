//! Bodies without a worker: what an attempt finds that an earlier one has left.

use std::fs;
use std::path::Path;

use lro_core::store::MemoryStore;
use lro_server::{HandlerError, OperationContext, Operations};
use tempfile::TempDir;
use tonic::Code;

use super::Archiver;
use crate::archive::Options;
use crate::catalog::ArchiveId;
use crate::pb::{Archive, ArchiveRecord, CreateArchiveMetadata, CreateArchiveRequest};

struct Fixture {
    temporary: TempDir,
    archiver: Archiver,
    id: ArchiveId,
}

impl Fixture {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let operations = Operations::new(MemoryStore::new());
        let archives = temporary.path().join("archives");
        let archiver = Archiver::new(&operations, &archives, Options::default()).unwrap();
        fs::create_dir(temporary.path().join("source")).unwrap();
        fs::write(temporary.path().join("source/file"), "content").unwrap();
        Self {
            temporary,
            archiver,
            id: ArchiveId::new("a").unwrap(),
        }
    }

    fn path(&self, path: impl AsRef<Path>) -> std::path::PathBuf {
        self.temporary.path().join(path)
    }

    /// Another attempt of the one operation.
    async fn create(&self) -> Result<Archive, HandlerError> {
        let operation = OperationContext::detached();
        let source = self.path("source").to_str().unwrap().to_owned();
        operation.set_metadata(CreateArchiveMetadata {
            archive: self.id.name(),
            ..CreateArchiveMetadata::default()
        });
        let request = CreateArchiveRequest {
            source_directory: source,
            ..CreateArchiveRequest::default()
        };
        self.archiver.create_archive(request, operation).await
    }
}

#[tokio::test]
async fn an_archive_that_was_recorded_is_not_packed_again() {
    let fixture = Fixture::new();
    let first = fixture.create().await.unwrap();
    fs::remove_dir_all(fixture.path("source")).unwrap();
    assert_eq!(fixture.create().await.unwrap(), first);
}

#[tokio::test]
async fn an_archive_that_was_not_recorded_is_finished() {
    let fixture = Fixture::new();
    let first = fixture.create().await.unwrap();
    fs::remove_file(fixture.path("archives/a.tar.zst.meta")).unwrap();
    let second = fixture.create().await.unwrap();
    assert_eq!(second.sha256, first.sha256);
    assert_eq!(fs::read_dir(fixture.path("archives")).unwrap().count(), 2);

    // And removed when that fails.
    fs::remove_file(fixture.path("archives/a.tar.zst.meta")).unwrap();
    fs::remove_dir_all(fixture.path("source")).unwrap();
    let error = fixture.create().await.unwrap_err();
    assert_eq!(error.status().code(), Code::NotFound);
    assert_eq!(fs::read_dir(fixture.path("archives")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_archive_of_another_operation_is_left_alone() {
    let fixture = Fixture::new();
    let made = fixture.create().await.unwrap();
    let catalog = &fixture.archiver.catalog;
    let reservation = catalog.reserve(&fixture.id).unwrap();
    let record = ArchiveRecord {
        archive: Some(made.clone()),
        operation: "operations/another".to_owned(),
        request_id: String::new(),
    };
    catalog.record(&reservation, record).unwrap();
    drop(reservation);
    let error = fixture.create().await.unwrap_err();
    assert_eq!(error.status().code(), Code::AlreadyExists);
    assert!(!error.is_retryable());
    assert_eq!(catalog.get(&fixture.id).unwrap(), Some(made));
}

#[tokio::test]
async fn a_folder_used_by_another_run_is_retried_later() {
    let fixture = Fixture::new();
    let partial = fixture.path("archives/a.tar.zst.partial");
    fs::write(&partial, "theirs").unwrap();
    let reservation = fixture.archiver.catalog.reserve(&fixture.id);
    let error = fixture.create().await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(fs::read(&partial).unwrap(), b"theirs");
    drop(reservation);
    fixture.create().await.unwrap();
}
