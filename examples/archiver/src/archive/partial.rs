use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Destination, Error};

/// Removes the partial file when dropped, unless told to keep it.
///
/// For the code that calls [`pack`](super::pack()), in the same blocking closure:
///
/// ```
/// # use archiver::archive::{Control, Destination, Error, Options, PartialGuard, Plan, Summary, pack};
/// fn run(
///     plan: &Plan,
///     destination: &Destination,
///     control: &mut dyn Control,
///     is_draining: impl Fn() -> bool,
/// ) -> Result<Summary, Error> {
///     let partial = PartialGuard::new(destination);
///     let result = pack(plan, destination, &Options::default(), None, control);
///     if matches!(result, Err(Error::Stopped)) && is_draining() {
///         partial.keep(); // resumed in another process
///     }
///     result // complete, cancelled or failed: leaves no partial file
/// }
/// ```
///
/// A process that is killed drops nothing, and so keeps the file.
#[derive(Debug)]
#[must_use = "dropping the guard removes the partial file"]
pub struct PartialGuard {
    destination: Option<Destination>,
}

impl PartialGuard {
    /// Guards the partial file of `destination`, be it there yet or not.
    pub fn new(destination: &Destination) -> Self {
        Self {
            destination: Some(destination.clone()),
        }
    }

    /// Leaves the partial file for a later run.
    pub fn keep(mut self) {
        self.destination = None;
    }
}

impl Drop for PartialGuard {
    fn drop(&mut self) {
        if let Some(destination) = &self.destination {
            // No caller is left to report to. A file that stays is overwritten by the next run.
            let _ = discard_partial(destination);
        }
    }
}

/// Removes the partial file of `destination`, and says whether there was one.
///
/// # Errors
///
/// [`Error::Busy`] while a run writes it, [`Error::Io`] otherwise.
pub fn discard_partial(destination: &Destination) -> Result<bool, Error> {
    let path = destination.partial_path();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io(&path)(error)),
    };
    lock(&file, &path)?;
    if !is_at(&file, &path).map_err(Error::io(&path))? {
        return Ok(false);
    }
    fs::remove_file(&path).map_err(Error::io(&path))?;
    sync_directory(destination.directory())?;
    Ok(true)
}

/// The partial file: open, locked, and in its place.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl Partial {
    /// Opens the partial file, or creates an empty one. Its content stays as it is.
    pub(super) fn open(destination: &Destination) -> Result<Self, Error> {
        let path = destination.partial_path();
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io(&path))?;
        lock(&file, &path)?;
        // Another run may have renamed it to the complete archive before we had the lock.
        if !is_at(&file, &path).map_err(Error::io(&path))? {
            return Err(Error::Busy { path });
        }
        sync_directory(destination.directory())?;
        Ok(Self { file, path })
    }

    /// Makes the partial file the archive.
    pub(super) fn publish(self, destination: &Destination) -> Result<PathBuf, Error> {
        let archive = destination.archive_path();
        self.file.sync_all().map_err(Error::io(&self.path))?;
        if !is_at(&self.file, &self.path).map_err(Error::io(&self.path))? {
            return Err(Error::PartialLost {
                path: self.path.clone(),
            });
        }
        fs::rename(&self.path, &archive).map_err(Error::io(&archive))?;
        sync_directory(destination.directory())?;
        Ok(archive)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread is just forking shares the file, and
        // with it the lock, until it executes its program. An error leaves it to closing.
        let _ = self.file.unlock();
    }
}

fn lock(file: &File, path: &Path) -> Result<(), Error> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::Busy {
            path: path.to_path_buf(),
        }),
        // A file system without locks: one writer an archive is then up to the caller.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(Error::io(path)(error)),
    }
}

/// Whether the open file is the one that `path` names.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes names in the directory durable.
fn sync_directory(directory: &Path) -> Result<(), Error> {
    let open = File::open(directory).map_err(Error::io(directory))?;
    open.sync_all().map_err(Error::io(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_holds_the_partial_file() {
        let directory = tempfile::tempdir().unwrap();
        let destination = Destination::new(directory.path(), "a").unwrap();
        let partial = Partial::open(&destination).unwrap();
        let second = Partial::open(&destination).unwrap_err();
        assert!(matches!(second, Error::Busy { .. }));
        let discarded = discard_partial(&destination).unwrap_err();
        assert!(matches!(discarded, Error::Busy { .. }));
        drop(partial);
        assert!(discard_partial(&destination).unwrap());
        assert!(!discard_partial(&destination).unwrap());
    }

    #[test]
    fn the_lock_ends_with_the_run_while_a_forked_child_shares_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let destination = Destination::new(directory.path(), "a").unwrap();
        let partial = Partial::open(&destination).unwrap();
        let shared = partial.file.try_clone().unwrap();
        drop(partial);
        assert!(Partial::open(&destination).is_ok());
        drop(shared);
    }

    #[test]
    fn a_partial_file_that_was_replaced_is_not_published() {
        let directory = tempfile::tempdir().unwrap();
        let destination = Destination::new(directory.path(), "a").unwrap();
        let partial = Partial::open(&destination).unwrap();
        fs::remove_file(destination.partial_path()).unwrap();
        fs::write(destination.partial_path(), b"another").unwrap();
        let error = partial.publish(&destination).unwrap_err();
        assert!(matches!(error, Error::PartialLost { .. }));
        assert!(!destination.archive_path().exists());
    }

    #[test]
    fn the_guard_removes_the_file_unless_it_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let destination = Destination::new(directory.path(), "a").unwrap();
        drop(Partial::open(&destination).unwrap());
        PartialGuard::new(&destination).keep();
        assert!(destination.partial_path().exists());
        drop(PartialGuard::new(&destination));
        assert!(!destination.partial_path().exists());
    }
}
