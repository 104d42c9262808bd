//! The world of the importer: a source that is busy at times, and a folder with what was imported.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lro_server::HandlerError;
use tonic::Status;

use crate::pb::Batch;

/// A folder with a file for each night.
#[derive(Debug)]
pub struct Warehouse {
    folder: PathBuf,
    prints: bool,
    /// The nights that were asked for.
    asked: Mutex<HashSet<u32>>,
}

impl Warehouse {
    /// A warehouse in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            prints: false,
            asked: Mutex::default(),
        }
    }

    /// Prints what happens.
    #[must_use]
    pub fn printing(mut self) -> Self {
        self.prints = true;
        self
    }

    /// The rows of a night. In every third night the source is busy at first.
    pub(crate) async fn fetch(&self, night: u32) -> Result<Batch, HandlerError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let is_new = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.insert(night)
        };
        if is_new && night % 3 == 2 {
            self.note(&format!("night {night}: the source is busy"));
            return Err(HandlerError::retry(Status::unavailable(
                "the source is busy",
            )));
        }
        let rows = (0..10 + night).map(|row| format!("{night},{row}"));
        Ok(Batch {
            rows: rows.collect(),
        })
    }

    /// Writes the file of a night: the same each time, so it may happen twice. Returns the number of rows.
    pub(crate) async fn load(&self, night: u32, batch: &Batch) -> Result<u64, Status> {
        let file = self.folder.join(format!("night-{night:03}.csv"));
        let rows = batch.rows.join("\n");
        fs::write(file, rows)
            .map_err(|error| Status::internal(format!("the warehouse: {error}")))?;
        self.note(&format!("night {night}: {} rows", batch.rows.len()));
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(batch.rows.len() as u64)
    }

    /// The number of rows in the files of each night.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn nights(&self) -> io::Result<Vec<usize>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "csv") {
                files.push(path);
            }
        }
        files.sort();
        let rows = |file: &PathBuf| Ok(fs::read_to_string(file)?.lines().count());
        files.iter().map(rows).collect()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn note(&self, what: &str) {
        if self.prints {
            println!("{what}");
        }
    }
}
