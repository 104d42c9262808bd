//! A file outside of the store in which bodies note what they do: no kill undoes it.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use tonic::Status;

/// The notes of bodies. Several processes may share a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(PathBuf);

impl Ledger {
    /// In that file, which the first note makes.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Appends a line: what an operation does by a call, a value, and the process. It survives the process, not the
    /// machine.
    pub(crate) fn note(
        &self,
        what: &str,
        id: &str,
        call: &str,
        value: impl Display,
    ) -> Result<(), Status> {
        let line = format!("{what} {id} {call} {value} {}\n", std::process::id());
        let file = OpenOptions::new().create(true).append(true).open(&self.0);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(|error| Status::internal(format!("cannot note an effect: {error}")))
    }
}
