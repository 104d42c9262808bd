use std::io;
use std::path::{Path, PathBuf};

/// Why packing, scanning or verifying ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source directory does not exist.
    #[error("source {path} does not exist")]
    SourceNotFound {
        /// The source as the caller named it.
        path: PathBuf,
    },

    /// The source is something else than a directory.
    #[error("source {path} is not a directory")]
    SourceNotDirectory {
        /// The source as the caller named it.
        path: PathBuf,
    },

    /// The source directory, or a file half packed, cannot be read.
    #[error("cannot read source {path}: {cause}")]
    SourceUnreadable {
        /// The unreadable file or folder.
        path: PathBuf,
        /// The error of the system, which the text contains.
        cause: io::Error,
    },

    /// A file changed after a part of it was packed, so that its entry cannot be completed.
    #[error("source {path} changed while it was packed")]
    SourceChanged {
        /// The file.
        path: PathBuf,
    },

    /// The source has more entries than a plan may hold.
    #[error("source {path} has more than {max} entries")]
    SourceTooLarge {
        /// The source as the caller named it.
        path: PathBuf,
        /// The limit, [`ENTRIES_MAX`](super::ENTRIES_MAX).
        max: u64,
    },

    /// The name cannot be that of an archive.
    #[error("invalid archive name {name:?}: {reason}")]
    InvalidName {
        /// The name.
        name: String,
        /// The mistake.
        reason: &'static str,
    },

    /// The archive would stand inside the tree it is made of.
    #[error("destination {path} is inside the source {root}")]
    DestinationInsideSource {
        /// The destination directory.
        path: PathBuf,
        /// The source directory.
        root: PathBuf,
    },

    /// Another run holds the partial file.
    #[error("partial archive {path} is being written by another run")]
    Busy {
        /// The partial file.
        path: PathBuf,
    },

    /// The partial file was removed or replaced while it was written.
    #[error("partial archive {path} was removed while it was written")]
    PartialLost {
        /// The partial file.
        path: PathBuf,
    },

    /// The caller's [`Control`](super::Control) asked to stop.
    #[error("stopped")]
    Stopped,

    /// An archive's content is not what [`pack`](super::pack()) writes.
    #[error("archive {path} is corrupt: {reason}")]
    Corrupt {
        /// The archive.
        path: PathBuf,
        /// The mistake, and its place.
        reason: String,
    },

    /// Reading or writing an archive, or the directory it stands in, failed.
    #[error("cannot read or write {path}: {cause}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system, which the text contains.
        cause: io::Error,
    },
}

impl Error {
    /// Wraps what the system says about `path`; for `map_err`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |cause| Error::Io {
            path: path.to_path_buf(),
            cause,
        }
    }
}
