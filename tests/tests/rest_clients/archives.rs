//! The archiver, and folders to pack.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use archiver::{Server, ServerOptions};
use tempfile::TempDir;

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

/// Serves the archiver, gRPC and HTTP/JSON on one port, until the result is stopped.
pub(crate) async fn serve(folders: &Folders) -> Served {
    let options = ServerOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        drain_timeout: Duration::from_millis(1),
        ..ServerOptions::new(folders.temporary.path().join("data"))
    };
    let server = Server::bind(options).await.unwrap();
    Served::run(server.address(), |stopped| async {
        server.serve(stopped).await.unwrap();
    })
}
