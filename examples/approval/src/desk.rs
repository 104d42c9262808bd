//! The desk of the publisher: a folder in the place of a scanner, a mail server and a web site.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lro_core::OperationName;
use tonic::Status;

/// A folder with `outbox.txt` and what was published.
#[derive(Debug)]
pub struct Desk {
    folder: PathBuf,
    prints: bool,
}

impl Desk {
    /// A desk in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            prints: false,
        }
    }

    /// Prints what happens.
    #[must_use]
    pub fn printing(mut self) -> Self {
        self.prints = true;
        self
    }

    /// The text of a document. It changes nothing, so it may happen twice.
    pub(crate) async fn read(&self, document: &str) -> Result<String, Status> {
        self.note(format_args!("reading {document}"));
        the_work().await;
        Ok(format!("the text of {document}\n"))
    }

    /// Sends a mail. It cannot be taken back, so it must not happen twice.
    pub(crate) async fn mail(&self, whom: &str, about: &OperationName) -> Result<(), Status> {
        the_work().await;
        let mut outbox = fs::OpenOptions::new();
        let outbox = outbox.append(true).create(true).open(self.outbox());
        let line = format!("{whom}: please approve {about}\n");
        outbox
            .and_then(|mut outbox| outbox.write_all(line.as_bytes()))
            .map_err(|error| failed(&error))?;
        self.note(format_args!("mail to {whom}"));
        the_work().await;
        Ok(())
    }

    /// Writes the published file: the same each time, so it may happen twice.
    pub(crate) async fn publish(&self, document: &str, text: &str) -> Result<String, Status> {
        the_work().await;
        let file = format!("{document}.published.txt");
        fs::write(self.folder.join(&file), text).map_err(|error| failed(&error))?;
        self.note(format_args!("publishing {document}"));
        the_work().await;
        Ok(file)
    }

    /// Whom it has sent mails.
    ///
    /// # Errors
    ///
    /// If the outbox cannot be read.
    pub fn mails(&self) -> io::Result<Vec<String>> {
        let outbox = match fs::read_to_string(self.outbox()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            outbox => outbox?,
        };
        let receivers = outbox.lines().filter_map(|line| line.split(':').next());
        Ok(receivers.map(str::to_owned).collect())
    }

    /// The text that was published of a document.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn published(&self, document: &str) -> io::Result<String> {
        fs::read_to_string(self.folder.join(format!("{document}.published.txt")))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        if self.prints {
            println!("{what}");
        }
    }

    fn outbox(&self) -> PathBuf {
        self.folder.join("outbox.txt")
    }
}

/// The time that a scanner or a mail server would take.
async fn the_work() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

fn failed(error: &io::Error) -> Status {
    Status::internal(format!("the desk: {error}"))
}
