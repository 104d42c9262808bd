//! The archiver, and folders to pack.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use archiver::archive::Options;
use archiver::pb::archiver_server::ArchiverServer;
use archiver::{Archiver, pb};
use lro_core::store::MemoryStore;
use lro_server::{Operations, Worker};
use tempfile::TempDir;
use tonic::service::Routes;

use crate::served::Served;

/// A folder for archives, with two sources beside it.
pub(crate) struct Folders {
    temporary: TempDir,
}

impl Folders {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folders = Self { temporary };
        for source in [folders.small(), folders.endless()] {
            fs::create_dir(source).unwrap();
        }
        fs::write(folders.small().join("file"), "small").unwrap();
        // A terabyte of zeroes, which takes hours to pack.
        let file = File::create(folders.endless().join("file")).unwrap();
        file.set_len(1 << 40).unwrap();
        folders
    }

    /// A source with one small file.
    pub(crate) fn small(&self) -> PathBuf {
        self.temporary.path().join("small")
    }

    /// A source that takes hours to pack.
    pub(crate) fn endless(&self) -> PathBuf {
        self.temporary.path().join("endless")
    }
}

/// Serves the archiver until the result is stopped.
pub(crate) async fn serve(folders: &Folders) -> Served {
    let operations = Operations::builder(MemoryStore::new())
        .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
        .unwrap()
        .build();
    let archives = folders.temporary.path().join("archives");
    let archiver = Archiver::new(&operations, &archives, Options::default()).unwrap();
    let archiver = Arc::new(archiver);
    let worker = Worker::builder(&operations).host(archiver.clone());
    let worker = worker.start().await.unwrap();
    let routes = Routes::new(ArchiverServer::from_arc(archiver));
    let routes = routes.add_service(operations.service());
    Served::start(routes, pb::FILE_DESCRIPTOR_SET, worker).await
}
