//! Trees to pack, a server process to kill, and what to wait for.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

pub mod process;
pub mod server;
pub mod tree;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use archiver::pb::archiver_client::ArchiverClient;
use archiver::pb::{Archive, CreateArchiveMetadata, CreateArchiveRequest};
use lro_client::{Operation, OperationsClient, Poller};
use tempfile::TempDir;
use tonic::transport::Channel;

pub type Creation = Operation<Archive, CreateArchiveMetadata>;

/// The longest that a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A folder for sources and one for the server's data.
pub struct Folders {
    temporary: TempDir,
}

impl Folders {
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        fs::create_dir(temporary.path().join("sources")).unwrap();
        Self { temporary }
    }

    pub fn data(&self) -> PathBuf {
        self.temporary.path().join("data")
    }

    pub fn archives(&self) -> PathBuf {
        self.data().join("archives")
    }

    /// An empty source.
    pub fn source(&self, name: &str) -> PathBuf {
        let source = self.temporary.path().join("sources").join(name);
        fs::create_dir(&source).unwrap();
        source
    }

    /// A source with one file in it.
    pub fn small(&self, name: &str) -> PathBuf {
        let source = self.source(name);
        fs::write(source.join("file"), name).unwrap();
        source
    }

    /// A source that takes hours to pack: a terabyte of nothing.
    pub fn endless(&self, name: &str) -> PathBuf {
        let source = self.source(name);
        let file = File::create(source.join("file")).unwrap();
        file.set_len(1 << 40).unwrap();
        source
    }

    /// The names in the folder of archives.
    pub fn archived(&self) -> Vec<String> {
        let names = fs::read_dir(self.archives()).unwrap();
        let mut names: Vec<_> = names
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// A server's clients.
#[derive(Clone)]
pub struct Clients {
    pub archiver: ArchiverClient<Channel>,
    pub operations: OperationsClient,
}

impl Clients {
    pub async fn connect(url: &str) -> Self {
        let channel = Channel::from_shared(url.to_owned()).unwrap();
        let channel = channel.connect().await.unwrap();
        Self {
            archiver: ArchiverClient::new(channel.clone()),
            operations: OperationsClient::new(channel),
        }
    }

    /// Starts an operation, and gives its name.
    pub async fn create(&mut self, source: &Path, id: &str) -> String {
        let operation = self.archiver.create_archive(request(source, id)).await;
        operation.unwrap().into_inner().name().to_owned()
    }

    pub fn poller(&self, name: &str) -> Poller<Archive, CreateArchiveMetadata> {
        Poller::resume(name, &self.operations).time_limit(PATIENCE)
    }

    pub async fn metadata(&self, name: &str) -> CreateArchiveMetadata {
        let operation = self.operations.get(name).await.unwrap();
        Creation::from(operation).metadata().unwrap().unwrap()
    }

    /// Waits until the metadata of an unfinished operation is as wanted.
    pub async fn wait_for(
        &self,
        name: &str,
        wanted: impl Fn(&CreateArchiveMetadata) -> bool,
    ) -> CreateArchiveMetadata {
        let wait = async {
            loop {
                let briefly = Duration::from_millis(10);
                let operation = self.operations.wait(name, briefly).await.unwrap();
                let operation = Creation::from(operation);
                assert!(!operation.done(), "too late: {operation:?}");
                let metadata = operation.metadata().unwrap().unwrap();
                if wanted(&metadata) {
                    return metadata;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap()
    }
}

pub fn request(source: &Path, id: &str) -> CreateArchiveRequest {
    CreateArchiveRequest {
        source_directory: source.to_str().unwrap().to_owned(),
        archive_id: id.to_owned(),
        request_id: String::new(),
    }
}
