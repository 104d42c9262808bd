use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One entry of the archive: what the source says of it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Relative to the source.
    pub(super) path: PathBuf,
    pub(super) kind: EntryKind,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: i64,
    pub(super) mtime_nanos: i64,
}

#[derive(Clone, Debug)]
pub(super) enum EntryKind {
    Directory,
    File { size: u64 },
    Symlink { target: PathBuf },
}

/// An entry as it is when its turn comes.
#[derive(Debug)]
pub(super) enum Opened {
    /// A directory or a symbolic link.
    Plain(Entry),
    /// A regular file, open at its start.
    File(Entry, File),
    /// It is there, as the next scan will also find it, but cannot be read.
    Unreadable(Entry, io::Error),
    /// It is not what was scanned.
    Lost(String),
}

impl Entry {
    /// The entry at `root`/`path`, or `None` for a kind that archives do not hold.
    pub(super) fn new(root: &Path, path: &Path, metadata: &Metadata) -> io::Result<Option<Self>> {
        let kind = if metadata.is_dir() {
            EntryKind::Directory
        } else if metadata.is_file() {
            EntryKind::File {
                size: metadata.len(),
            }
        } else if metadata.is_symlink() {
            let target = fs::read_link(root.join(path))?;
            EntryKind::Symlink { target }
        } else {
            return Ok(None);
        };
        Ok(Some(Self {
            path: path.to_path_buf(),
            kind,
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime: metadata.mtime(),
            mtime_nanos: metadata.mtime_nsec(),
        }))
    }

    /// Bytes of file content.
    pub(super) fn size(&self) -> u64 {
        match self.kind {
            EntryKind::File { size } => size,
            EntryKind::Directory | EntryKind::Symlink { .. } => 0,
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.kind, EntryKind::File { .. })
    }

    /// Looks at the entry again, and opens it if it is a file.
    pub(super) fn open(&self, root: &Path) -> Opened {
        let path = root.join(&self.path);
        let now = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => return Opened::Lost(error.to_string()),
        };
        let entry = match Entry::new(root, &self.path, &now) {
            Ok(Some(entry)) if entry.kind.is_like(&self.kind) => entry,
            Ok(_) => return Opened::Lost("changed its kind since the scan".to_owned()),
            Err(error) => return Opened::Lost(error.to_string()),
        };
        if !entry.is_file() {
            return Opened::Plain(entry);
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Opened::Lost(error.to_string());
            }
            Err(error) => return Opened::Unreadable(entry, error),
        };
        // The open file counts, provided it is the one just looked at.
        match file.metadata() {
            Ok(open) if (open.dev(), open.ino()) == (now.dev(), now.ino()) => {
                match Entry::new(root, &self.path, &open) {
                    Ok(Some(entry)) => Opened::File(entry, file),
                    Ok(None) => Opened::Lost("changed its kind since the scan".to_owned()),
                    Err(error) => Opened::Unreadable(entry, error),
                }
            }
            Ok(_) => Opened::Lost("was replaced while it was opened".to_owned()),
            Err(error) => Opened::Unreadable(entry, error),
        }
    }
}

impl EntryKind {
    fn is_like(&self, other: &EntryKind) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
