use std::path::PathBuf;

use super::Skipped;

/// A complete archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Where it is.
    pub path: PathBuf,
    /// Regular files in it.
    pub files: u64,
    /// Directories in it.
    pub directories: u64,
    /// Symbolic links in it.
    pub symlinks: u64,
    /// Bytes of all files in it.
    pub source_bytes: u64,
    /// Length of the archive.
    pub archive_bytes: u64,
    /// SHA-256 of the archive.
    pub sha256: [u8; 32],
    /// Entries of the source that are not in it, by the scan and by packing.
    pub skipped_count: u64,
    /// The first [`SKIPPED_MAX`](super::SKIPPED_MAX) of them.
    pub skipped: Vec<Skipped>,
}
