//! A reserve of disk space that only outcomes, deletions and purges may use.
//!
//! When the disk, or the database's size limit, is full, the store frees half of its reserve and
//! rejects starts. When that half is full, too, it frees the rest and rejects all calls that do not
//! free space. As soon as space is available again, it restores the reserve and accepts starts.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lro_core::store::{Command, Update};
use rusqlite::Connection;

use crate::error::Fault;
use crate::ownership::with_suffix;
use crate::table::Table;

/// The number of free pages that are returned to the file system at a time.
const FREED_PAGES_MAX: i64 = 512;

/// How much room there is, from the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Headroom {
    /// All calls are served.
    Normal,
    /// Half of the reserve is freed: all calls except starts are served.
    Low,
    /// The whole reserve is freed: only calls that free space, or take none, are served.
    Critical,
}

impl Headroom {
    fn better(self) -> Self {
        match self {
            Self::Normal | Self::Low => Self::Normal,
            Self::Critical => Self::Low,
        }
    }
}

/// The purpose for which a call needs room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// New operations.
    Start,
    /// Changes of existing operations: claims, checkpoints, metadata, outcomes.
    Progress,
    /// Deletions, purges, cancellations, releases, renewals.
    Upkeep,
}

impl Need {
    pub(crate) fn of_updates(updates: &[Update]) -> Self {
        let is_upkeep = |update: &Update| {
            matches!(
                update.command,
                Command::Delete(_)
                    | Command::Cancel(_)
                    | Command::Renew { metadata: None, .. }
                    | Command::Release { metadata: None, .. }
            )
        };
        if updates.iter().all(is_upkeep) {
            Self::Upkeep
        } else {
            Self::Progress
        }
    }
}

/// The reserve, and what is left of it.
#[derive(Debug)]
pub(crate) struct Room {
    headroom: Headroom,
    reserve: Reserve,
    /// The size limit in pages, and how many of them are reserved.
    pages: Option<(i64, i64)>,
    accepts_starts: Arc<AtomicBool>,
}

impl Room {
    /// Takes the reserve over that an earlier process has left, or what there is room for.
    pub(crate) fn open(database: &Path, size: u64, accepts_starts: Arc<AtomicBool>) -> Self {
        let mut reserve = Reserve::open(database, size);
        let mut headroom = Headroom::Normal;
        if let Err(error) = reserve.fill(Headroom::Normal) {
            tracing::warn!(%error, "not enough disk space for the reserve of the database");
            headroom = Headroom::Low;
        }
        accepts_starts.store(headroom == Headroom::Normal, Ordering::Relaxed);
        Self {
            headroom,
            reserve,
            pages: None,
            accepts_starts,
        }
    }

    /// Limits the database to this number of bytes, the reserve included.
    pub(crate) fn limit_size(
        &mut self,
        connection: &Connection,
        bytes: u64,
    ) -> Result<(), rusqlite::Error> {
        let page = pragma(connection, "page_size")?.max(1);
        let count = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX) / page;
        let limit = count(bytes).max(1);
        self.pages = Some((limit, count(self.reserve.size).min(limit / 4)));
        self.limit_pages(connection)
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.headroom != Headroom::Normal
    }

    /// Whether a call may be tried.
    pub(crate) fn admits(&self, need: Need) -> Result<(), Fault> {
        let why = match (self.headroom, need) {
            (Headroom::Normal, _)
            | (Headroom::Low, Need::Progress | Need::Upkeep)
            | (Headroom::Critical, Need::Upkeep) => return Ok(()),
            (Headroom::Low, Need::Start) => {
                "no disk space for new operations: free some on the disk, delete or purge \
                 operations, or raise the size limit"
            }
            (Headroom::Critical, Need::Start | Need::Progress) => {
                "there is room for deletions and purges only: free some on the disk, delete or \
                 purge operations, or raise the size limit"
            }
        };
        Err(Fault::Full(why.into()))
    }

    /// Gives up more of the reserve. `false`: nothing is left of it.
    pub(crate) fn give_up(&mut self, connection: &Connection) -> bool {
        let headroom = match self.headroom {
            Headroom::Normal => Headroom::Low,
            Headroom::Low => Headroom::Critical,
            Headroom::Critical => return false,
        };
        self.reserve.shrink(headroom);
        self.set(connection, headroom);
        tracing::error!(
            ?headroom,
            free_bytes = self.reserve.free_bytes(),
            "no disk space: rejecting new operations until there is some"
        );
        true
    }

    /// The same before the database is open.
    pub(crate) fn give_up_unopened(&mut self) -> bool {
        let headroom = match self.headroom {
            Headroom::Normal => Headroom::Low,
            Headroom::Low => Headroom::Critical,
            Headroom::Critical => return false,
        };
        self.headroom = headroom;
        self.reserve.shrink(headroom);
        self.accepts_starts.store(false, Ordering::Relaxed);
        true
    }

    /// Fills the reserve up again if there is room, which free pages of the database make.
    pub(crate) fn restore(&mut self, connection: &Connection) {
        if !self.reserve.has_room_for(self.headroom.better()) {
            let shrunk = Table(connection).shrink(0, FREED_PAGES_MAX);
            if let Err(fault) = shrunk.and_then(|()| write_log_back(connection)) {
                tracing::debug!(?fault, "cannot return free pages to the file system");
            }
        }
        for headroom in [Headroom::Normal, Headroom::Low] {
            if headroom < self.headroom
                && self.has_pages(connection, headroom)
                && self.reserve.has_room_for(headroom)
                && self.reserve.fill(headroom).is_ok()
            {
                self.set(connection, headroom);
                tracing::info!(?headroom, "disk space is available again");
                return;
            }
        }
    }

    fn set(&mut self, connection: &Connection, headroom: Headroom) {
        self.headroom = headroom;
        self.accepts_starts
            .store(headroom == Headroom::Normal, Ordering::Relaxed);
        if let Err(error) = self.limit_pages(connection) {
            tracing::warn!(%error, "the size limit of the database was not set");
        }
    }

    fn pages_of(&self, headroom: Headroom) -> Option<i64> {
        let (limit, reserve) = self.pages?;
        Some(match headroom {
            Headroom::Normal => limit - reserve,
            Headroom::Low => limit - reserve / 2,
            Headroom::Critical => limit,
        })
    }

    fn limit_pages(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        match self.pages_of(self.headroom) {
            Some(pages) => connection.pragma_update(None, "max_page_count", pages.max(1)),
            None => Ok(()),
        }
    }

    /// Whether the database is smaller than it may be then. Gives free pages back to the file system
    /// that are beyond, as SQLite lowers no limit below the pages that a file has.
    fn has_pages(&self, connection: &Connection, headroom: Headroom) -> bool {
        let Some(limit) = self.pages_of(headroom) else {
            return true;
        };
        let enough = || {
            let count = pragma(connection, "page_count")?;
            // A margin, or the next start would find no room again.
            let used = count - pragma(connection, "freelist_count")?;
            if used > limit - limit / 32 {
                return Ok(false);
            }
            Table(connection).shrink(0, count.saturating_sub(limit))?;
            Ok(pragma(connection, "page_count")? <= limit)
        };
        enough().unwrap_or_else(|fault: Fault| {
            tracing::debug!(?fault, "the size of the database is unknown");
            false
        })
    }
}

/// Writes the write-ahead log back into the database, as far as readers allow.
pub(crate) fn write_log_back(connection: &Connection) -> Result<(), Fault> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))?;
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// A file that takes up room on the disk until it is needed.
#[derive(Debug)]
struct Reserve {
    path: PathBuf,
    size: u64,
    file: Option<File>,
}

impl Reserve {
    fn open(database: &Path, size: u64) -> Self {
        let path = with_suffix(database, "-reserve");
        let file = if size == 0 {
            // One that an earlier process has left.
            let _ = std::fs::remove_file(&path);
            None
        } else {
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).write(true);
            options.open(&path).ok()
        };
        Self { path, size, file }
    }

    fn size_at(&self, headroom: Headroom) -> u64 {
        match headroom {
            Headroom::Normal => self.size,
            Headroom::Low => self.size / 2,
            Headroom::Critical => 0,
        }
    }

    fn len(&self) -> u64 {
        let metadata = self.file.as_ref().map(File::metadata);
        metadata.map_or(0, |it| it.map_or(0, |metadata| metadata.len()))
    }

    fn shrink(&self, headroom: Headroom) {
        let size = self.size_at(headroom);
        if let Some(file) = &self.file
            && self.len() > size
            && let Err(error) = file.set_len(size)
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot free the reserve");
        }
    }

    fn fill(&mut self, headroom: Headroom) -> io::Result<()> {
        let (len, size) = (self.len(), self.size_at(headroom));
        let Some(file) = &mut self.file else {
            return if self.size == 0 {
                Ok(())
            } else {
                Err(io::Error::other("the reserve cannot be opened"))
            };
        };
        if len > size {
            return file.set_len(size);
        }
        let filled = allocate(file, len, size);
        if filled.is_err() {
            // A part of it would be missing elsewhere.
            let _ = file.set_len(len);
        }
        filled
    }

    /// Whether something is left when the reserve is filled up: or the next start would empty it.
    fn has_room_for(&self, headroom: Headroom) -> bool {
        let missing = self.size_at(headroom).saturating_sub(self.len());
        let free = self.free_bytes();
        free.is_none_or(|free| free >= missing + self.size / 4)
    }

    #[cfg(unix)]
    fn free_bytes(&self) -> Option<u64> {
        let directory = self.path.parent()?;
        let stat = nix::sys::statvfs::statvfs(directory).ok()?;
        #[expect(clippy::useless_conversion, reason = "32 bits elsewhere")]
        let (blocks, size) = (
            u64::from(stat.blocks_available()),
            u64::from(stat.fragment_size()),
        );
        Some(blocks.saturating_mul(size))
    }

    #[cfg(not(unix))]
    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

/// Allocates space at the file's end with data, because a hole would take up none.
fn allocate(file: &mut File, from: u64, to: u64) -> io::Result<()> {
    if from >= to {
        return Ok(());
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let (Ok(offset), Ok(len)) = (i64::try_from(from), i64::try_from(to - from)) {
        match nix::fcntl::posix_fallocate(&*file, offset as _, len as _) {
            Ok(()) => return Ok(()),
            Err(nix::errno::Errno::EOPNOTSUPP | nix::errno::Errno::EINVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    file.seek(SeekFrom::Start(from))?;
    let zeros = vec![0; 1 << 16];
    let mut left = to - from;
    while left > 0 {
        let len = zeros.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(&zeros[..len])?;
        left -= len as u64;
    }
    file.sync_data()
}
