use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::control::check;
use super::entry::{Entry, EntryKind};
use super::skipped::SkippedList;
use super::{Control, Error, Progress, Skipped};

/// The most entries that a plan may hold: it stands in memory, with some 150 bytes and the path
/// for each.
pub const ENTRIES_MAX: u64 = 10_000_000;

/// The plan of an archive: the source's entries in the order of the archive, and their totals.
#[derive(Debug)]
pub struct Plan {
    root: PathBuf,
    entries: Vec<Entry>,
    skipped: SkippedList,
    directories: u64,
    files: u64,
    symlinks: u64,
    bytes: u64,
}

impl Plan {
    /// Walks `source`, without following links below it.
    ///
    /// Directories that cannot be listed, and entries of other kinds than directory, regular file
    /// and symbolic link, are skipped and counted.
    ///
    /// # Errors
    ///
    /// [`Error::SourceNotFound`], [`Error::SourceNotDirectory`], [`Error::SourceUnreadable`],
    /// [`Error::SourceTooLarge`] or [`Error::Stopped`].
    pub fn scan(source: &Path, control: &mut dyn Control) -> Result<Self, Error> {
        scan_up_to(ENTRIES_MAX, source, control)
    }

    /// The source directory, absolute and without links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Entries of all kinds.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Directories, without the source itself.
    #[must_use]
    pub fn directories(&self) -> u64 {
        self.directories
    }

    /// Regular files.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.files
    }

    /// Symbolic links.
    #[must_use]
    pub fn symlinks(&self) -> u64 {
        self.symlinks
    }

    /// Bytes of all regular files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many entries the scan skipped.
    #[must_use]
    pub fn skipped_count(&self) -> u64 {
        self.skipped.count()
    }

    /// The first [`SKIPPED_MAX`](super::SKIPPED_MAX) entries the scan skipped.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        self.skipped.first()
    }

    pub(super) fn skipped_list(&self) -> &SkippedList {
        &self.skipped
    }

    pub(super) fn list(&self) -> &[Entry] {
        &self.entries
    }

    fn push(&mut self, entry: Entry) {
        match entry.kind {
            EntryKind::Directory => self.directories += 1,
            EntryKind::File { size } => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(size);
            }
            EntryKind::Symlink { .. } => self.symlinks += 1,
        }
        self.entries.push(entry);
    }

    fn progress(&self) -> Progress {
        Progress {
            files_total: self.files,
            bytes_total: self.bytes,
            skipped_count: self.skipped.count(),
            ..Progress::default()
        }
    }
}

fn scan_up_to(max: u64, source: &Path, control: &mut dyn Control) -> Result<Plan, Error> {
    let mut plan = Plan {
        root: root(source)?,
        entries: Vec::new(),
        skipped: SkippedList::default(),
        directories: 0,
        files: 0,
        symlinks: 0,
        bytes: 0,
    };
    let walk = WalkDir::new(&plan.root).min_depth(1).sort_by_file_name();
    for found in walk {
        check(control)?;
        let (path, entry) = match found {
            Ok(found) => {
                let metadata = found.metadata().map_err(io::Error::from);
                let path = relative(found.path(), &plan.root).to_path_buf();
                let entry = metadata.and_then(|it| Entry::new(&plan.root, &path, &it));
                (path, entry)
            }
            Err(error) => match error.path() {
                Some(path) if error.depth() > 0 => {
                    let path = relative(path, &plan.root).to_path_buf();
                    (path, Err(error.into()))
                }
                _ => {
                    return Err(Error::SourceUnreadable {
                        path: source.to_path_buf(),
                        cause: error.into(),
                    });
                }
            },
        };
        match entry {
            Ok(Some(_)) if plan.entries() >= max => {
                return Err(Error::SourceTooLarge {
                    path: source.to_path_buf(),
                    max,
                });
            }
            Ok(Some(entry)) => plan.push(entry),
            Ok(None) => plan
                .skipped
                .push(&path, &"neither a file, a directory nor a symbolic link"),
            // Removed during the walk: as if it had never been there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => plan.skipped.push(&path, &error),
        }
        control.progress(&plan.progress());
    }
    Ok(plan)
}

fn root(source: &Path) -> Result<PathBuf, Error> {
    let path = source.to_path_buf();
    let root = match source.canonicalize() {
        Ok(root) => root,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::SourceNotFound { path });
        }
        Err(cause) => return Err(Error::SourceUnreadable { path, cause }),
    };
    match root.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(root),
        Ok(_) => Err(Error::SourceNotDirectory { path }),
        Err(cause) => Err(Error::SourceUnreadable { path, cause }),
    }
}

fn relative<'a>(path: &'a Path, root: &Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn order_is_by_bytes_and_other_kinds_are_skipped() {
        let source = tempfile::tempdir().unwrap();
        let root = source.path();
        for directory in ["b", "a"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        for file in ["b/z", "b/Z", "a.txt", "\u{e9}"] {
            fs::write(root.join(file), b"1234").unwrap();
        }
        let _socket = UnixListener::bind(root.join("socket")).unwrap();
        std::os::unix::fs::symlink("b", root.join("link")).unwrap();

        let plan = Plan::scan(root, &mut ()).unwrap();
        let paths: Vec<_> = plan.list().iter().map(|it| it.path.to_str()).collect();
        let expected = ["a", "a.txt", "b", "b/Z", "b/z", "link", "\u{e9}"];
        assert_eq!(paths, expected.map(Some));
        assert_eq!(
            (plan.directories(), plan.files(), plan.symlinks()),
            (2, 4, 1)
        );
        assert_eq!((plan.entries(), plan.bytes()), (7, 16));
        assert_eq!((plan.skipped_count(), plan.skipped().len()), (1, 1));
        assert_eq!(plan.skipped()[0].path, b"socket");
    }

    #[test]
    fn bad_sources_are_named() {
        let source = tempfile::tempdir().unwrap();
        let missing = source.path().join("missing");
        let error = Plan::scan(&missing, &mut ()).unwrap_err();
        assert!(matches!(&error, Error::SourceNotFound { path } if *path == missing));
        assert_eq!(
            error.to_string(),
            format!("source {} does not exist", missing.display())
        );

        let file = source.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = Plan::scan(&file, &mut ()).unwrap_err();
        assert!(matches!(error, Error::SourceNotDirectory { path } if path == file));
    }

    #[test]
    fn too_many_entries_are_refused() {
        let source = tempfile::tempdir().unwrap();
        for i in 0..3 {
            fs::write(source.path().join(i.to_string()), b"").unwrap();
        }
        assert!(scan_up_to(3, source.path(), &mut ()).is_ok());
        let error = scan_up_to(2, source.path(), &mut ()).unwrap_err();
        assert!(matches!(error, Error::SourceTooLarge { max: 2, .. }));
    }
}
