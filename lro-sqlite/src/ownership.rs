//! The ownership of a database by one process, through a lock on the file itself, for any path.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use lro_core::store::{StoreError, StoreErrorKind};

use crate::error::Fault;

/// How often a busy store checks that its files are where they were.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The files of a database, which SQLite writes to by descriptor.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

/// The databases that stores of this process own. A process must not close a descriptor of a
/// database that SQLite has open: the system would drop the locks of SQLite with it. So this is
/// read before a file is opened, and a descriptor that was opened nevertheless is parked here.
static OWNED: Mutex<BTreeMap<FileId, Vec<File>>> = Mutex::new(BTreeMap::new());

/// A file, whatever its path: device and inode.
type FileId = (u64, u64);

/// The locks on a database, and where its files were when it was opened. Freed when it is dropped,
/// and by the system when the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Ownership {
    database: PathBuf,
    id: Option<FileId>,
    /// On Linux it holds a lock of the file itself (`flock`), which has nothing to do with the
    /// locks that SQLite takes (`fcntl`), and which another descriptor does not drop.
    file: Option<File>,
    /// Also locked: the only lock of other systems, and of earlier versions of this crate.
    _beside: File,
    files: OnceLock<Vec<(PathBuf, FileId)>>,
    opened_at: Instant,
    checked_at: AtomicU64,
    lost: OnceLock<String>,
}

impl Ownership {
    /// Locks the database; creates its file if there is none.
    pub(crate) fn acquire(database: &Path) -> Result<Self, StoreError> {
        let mut owned = owned();
        let before = identify(database).map_err(|error| unreachable_path(database, error))?;
        if before.is_some_and(|id| owned.contains_key(&id)) {
            return Err(in_use(database, "it is open in this process already"));
        }
        let beside = lock_beside(database)?;
        let (mut locked, mut id) = (None, None);
        if cfg!(unix) {
            let file = open(database)?;
            let metadata = file.metadata();
            id = file_id(&metadata.map_err(|error| unreachable_path(database, error))?);
            if let Some(parked) = id.and_then(|id| owned.get_mut(&id)) {
                parked.push(file);
                return Err(in_use(database, "it is open in this process already"));
            }
            lock(database, &file)?;
            if before.is_none() {
                sync_directory(database);
            }
            locked = Some(file);
        }
        if let Some(id) = id {
            owned.insert(id, Vec::new());
        }
        Ok(Self {
            database: database.to_owned(),
            id,
            file: locked,
            _beside: beside,
            files: OnceLock::new(),
            opened_at: Instant::now(),
            checked_at: AtomicU64::new(0),
            lost: OnceLock::new(),
        })
    }

    /// Notes which files there are. From now on, one that is moved, removed or replaced is noticed.
    pub(crate) fn watch(&self) {
        let files = COMPANIONS.iter().filter_map(|suffix| {
            let path = with_suffix(&self.database, suffix);
            let id = identify(&path).ok().flatten()?;
            Some((path, id))
        });
        // Called once.
        let _ = self.files.set(files.collect());
    }

    /// Whether the files were found to be elsewhere.
    pub(crate) fn check_known(&self) -> Result<(), Fault> {
        match self.lost.get() {
            None => Ok(()),
            Some(why) => Err(Fault::Lost(why.as_str().into())),
        }
    }

    /// Looks for the files if the last look was some time ago.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let now = u64::try_from(self.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.checked_at.load(Ordering::Relaxed);
        if now.saturating_sub(last) < CHECK_INTERVAL.as_millis() as u64 {
            return self.check_known();
        }
        self.checked_at.store(now, Ordering::Relaxed);
        self.check_now()
    }

    /// Looks for the files. One that is elsewhere makes the store unusable for good.
    pub(crate) fn check_now(&self) -> Result<(), Fault> {
        self.check_known()?;
        for (path, id) in self.files.get().into_iter().flatten() {
            let what = match identify(path) {
                Ok(Some(found)) if found == *id => continue,
                Ok(Some(_)) => "was replaced",
                Ok(None) => "was moved or removed",
                // A directory that cannot be read says nothing about the file.
                Err(_) => continue,
            };
            let why = format!(
                "`{}` {what} while the store was open: stop the process, put the file back, and \
                 start it again",
                path.display()
            );
            if self.lost.set(why).is_ok() {
                tracing::error!(
                    file = %path.display(),
                    "the database file {what}; the store is unusable until it is opened again"
                );
            }
            return self.check_known();
        }
        Ok(())
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        let mut owned = owned();
        // Before the file may be opened again here.
        drop(self.file.take());
        if let Some(id) = self.id {
            owned.remove(&id);
        }
    }
}

fn owned() -> MutexGuard<'static, BTreeMap<FileId, Vec<File>>> {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(database: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    options.open(database).map_err(|error| {
        unusable(format!(
            "`{}` cannot be written: change its permissions, or give another path: {error}",
            database.display()
        ))
        .with_source(error)
    })
}

/// Makes a created file survive a loss of power.
fn sync_directory(database: &Path) {
    let directory = database.parent().map(File::open);
    if let Some(Err(error)) = directory.map(|opened| opened.and_then(|it| it.sync_all())) {
        tracing::warn!(%error, "the directory of the database was not synced");
    }
}

fn lock_beside(database: &Path) -> Result<File, StoreError> {
    let path = with_suffix(database, "-lock");
    let open = || {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).open(&path)
    };
    let file = open().map_err(|error| {
        unusable(format!(
            "cannot write `{}`: the directory of the store must be writable: {error}",
            path.display()
        ))
        .with_source(error)
    })?;
    try_lock(&file, &path)?.ok_or_else(|| in_use(database, "it is in use by another process"))?;
    // A file system may say yes to everybody.
    if let Ok(second) = open()
        && second.try_lock().is_ok()
    {
        return Err(unusable(format!(
            "the file system of `{}` locks no files: put the store on a local file system",
            path.display()
        )));
    }
    Ok(file)
}

fn try_lock(file: &File, path: &Path) -> Result<Option<()>, StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(unusable(format!(
            "cannot lock `{}`: put the store on a local file system: {error}",
            path.display()
        ))
        .with_source(error)),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn lock(database: &Path, file: &File) -> Result<(), StoreError> {
    match nix::sys::statfs::fstatfs(file) {
        Ok(stat) => check_file_system(database, stat.filesystem_type().0 as _)?,
        Err(error) => tracing::warn!(%error, "the kind of the file system is unknown"),
    }
    try_lock(file, database)?.ok_or_else(|| {
        in_use(
            database,
            "it is in use by another process, through another path (a hard link, a bind mount, or \
             the path that it had before it was moved)",
        )
    })
}

/// Elsewhere, locks of the file itself and those of SQLite are one kind, and keep each other out.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn lock(database: &Path, file: &File) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt as _;
    let links = file.metadata().map_or(1, |metadata| metadata.nlink());
    if links > 1 {
        return Err(unusable(format!(
            "`{}` has {links} hard links, through which another process could own it too: \
             remove the others",
            database.display()
        )));
    }
    Ok(())
}

#[cfg(not(unix))]
fn lock(_database: &Path, _file: &File) -> Result<(), StoreError> {
    Ok(())
}

/// Judges a file system by the number that Linux gives its kind.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn check_file_system(database: &Path, kind: i64) -> Result<(), StoreError> {
    let kind = kind & 0xffff_ffff;
    let refused = match kind {
        0x6969 => Some("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        _ => None,
    };
    if let Some(name) = refused {
        return Err(unusable(format!(
            "`{}` is on a network file system ({name}), where SQLite's write-ahead log does not \
             work: put the store on a local file system, or use PostgreSQL",
            database.display()
        )));
    }
    let path = database.display();
    match kind {
        0x794c_7630 => tracing::warn!(
            %path,
            "the database is on an overlay file system: it is lost with its container, and the \
             lock keeps out processes of this container only; use a volume"
        ),
        0x0102_1997 | 0x6573_5546 | 0x00c3_6400 | 0x0bd0_0bd0 | 0x0116_1970 | 0x7461_636f => {
            tracing::warn!(
                %path,
                kind = format_args!("{kind:#x}"),
                "the database is on a file system that may be shared with other machines: the lock \
                 may not keep their processes out"
            );
        }
        _ => {}
    }
    Ok(())
}

/// Which file a path leads to, if any.
fn identify(path: &Path) -> io::Result<Option<FileId>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(file_id(&metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn file_id(metadata: &fs::Metadata) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn file_id(_metadata: &fs::Metadata) -> Option<FileId> {
    None
}

/// The path of a file beside the database.
pub(crate) fn with_suffix(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    name.into()
}

fn in_use(database: &Path, why: &str) -> StoreError {
    unusable(format!(
        "`{}` cannot be opened: {why}; one process owns an SQLite store, once: stop the other, or \
         give each its own file",
        database.display()
    ))
}

/// The one spelling of the database's path, so that two links to it are one lock.
pub(crate) fn canonical_path(path: &Path) -> Result<PathBuf, StoreError> {
    if path.as_os_str() == ":memory:" {
        return Err(unusable(
            "`:memory:` is not durable: use `lro_core::store::MemoryStore`, or give a path",
        ));
    }
    let Some(file_name) = path.file_name() else {
        return Err(unusable(format!(
            "`{}` does not name a file: give the path of the database",
            path.display()
        )));
    };
    match path.canonicalize() {
        Ok(path) if path.is_dir() => {
            return Err(unusable(format!(
                "`{}` is a directory: give the path of a file in it",
                path.display()
            )));
        }
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unreachable_path(path, error)),
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match directory.canonicalize() {
        Ok(directory) => Ok(directory.join(file_name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unusable(format!(
            "directory `{}` does not exist: create it first",
            directory.display()
        ))
        .with_source(error)),
        Err(error) => Err(unreachable_path(directory, error)),
    }
}

fn unreachable_path(path: &Path, error: io::Error) -> StoreError {
    unusable(format!("cannot reach `{}`: {error}", path.display())).with_source(error)
}

fn unusable(message: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unusable, message)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// report:F1
    #[test]
    fn file_systems_of_other_machines_are_refused() {
        let database = Path::new("/srv/operations.db");
        for kind in [0x6969, 0xfe53_4d42_u32.cast_signed().into(), 0xff53_4d42] {
            let error = check_file_system(database, kind).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unusable);
            assert!(error.to_string().contains("local file system"), "{error}");
        }
        // ext4, tmpfs, overlay
        for kind in [0xef53, 0x0102_1994, 0x794c_7630] {
            check_file_system(database, kind).unwrap();
        }
    }
}
