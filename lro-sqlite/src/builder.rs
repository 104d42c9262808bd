use std::path::PathBuf;
use std::sync::Arc;

use lro_core::store::StoreError;
use lro_core::{Clock, SystemClock};

use crate::store::SqliteStore;

/// Configures and opens a [`SqliteStore`].
///
/// ```no_run
/// # async fn example() -> Result<(), lro_core::store::StoreError> {
/// use lro_sqlite::{Durability, SqliteStore};
///
/// let store = SqliteStore::builder("operations.db")
///     .durability(Durability::Full)
///     .max_size(10 << 30)
///     .open()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is opened before `open`"]
pub struct SqliteStoreBuilder {
    pub(crate) path: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) durability: Durability,
    pub(crate) max_size: Option<u64>,
    pub(crate) reserve_size: u64,
}

impl SqliteStoreBuilder {
    /// The default of [`reserve_size`](Self::reserve_size): 16 MiB.
    pub const DEFAULT_RESERVE_SIZE: u64 = 16 << 20;

    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            clock: Arc::new(SystemClock),
            durability: Durability::default(),
            max_size: None,
            reserve_size: Self::DEFAULT_RESERVE_SIZE,
        }
    }

    /// The clock that decides when operations are ready and leases expire. Default: the system's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The meaning of an acknowledgement. Default: [`Durability::Full`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The maximum size of the database file in bytes, without its write-ahead log; at least its
    /// present size. Beyond it, starts fail with [`StoreErrorKind::Full`]. Default: SQLite's own
    /// limit of about 16 TiB.
    ///
    /// [`StoreErrorKind::Full`]: lro_core::store::StoreErrorKind::Full
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// The number of bytes that the store keeps free for outcomes, deletions and purges. Default:
    /// [`DEFAULT_RESERVE_SIZE`](Self::DEFAULT_RESERVE_SIZE); 0 keeps none.
    ///
    /// The reserve consists of the file `<database>-reserve`, and of the same number of bytes of
    /// [`max_size`](Self::max_size), at most a quarter. When the disk or the limit is full, the
    /// store frees half of the reserve and rejects starts with [`StoreErrorKind::Full`]. When that
    /// half is used up, it frees the rest, and serves only deletions, purges, cancellations and
    /// renewals. When space is available again, it restores the reserve and accepts starts.
    ///
    /// [`StoreErrorKind::Full`]: lro_core::store::StoreErrorKind::Full
    pub fn reserve_size(mut self, bytes: u64) -> Self {
        self.reserve_size = bytes;
        self
    }

    /// Opens the store, creates its file if there is none, and requeues the operations that an
    /// earlier process was running.
    ///
    /// # Errors
    ///
    /// * [`Unusable`]: the directory does not exist or cannot be written; or the file is not a
    ///   store, belongs to another program, has a newer version, or is in use by another process;
    /// * [`Corrupt`]: the file is corrupt;
    /// * [`Full`], [`Unavailable`]: the disk is full or fails; a later attempt may succeed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no store opens. The file is free again when the current step ends.
    ///
    /// [`Unusable`]: lro_core::store::StoreErrorKind::Unusable
    /// [`Corrupt`]: lro_core::store::StoreErrorKind::Corrupt
    /// [`Full`]: lro_core::store::StoreErrorKind::Full
    /// [`Unavailable`]: lro_core::store::StoreErrorKind::Unavailable
    pub async fn open(self) -> Result<SqliteStore, StoreError> {
        SqliteStore::start_threads(self).await
    }
}

/// The meaning of an acknowledgement.
///
/// ```no_run
/// # async fn example() -> Result<(), lro_core::store::StoreError> {
/// use lro_sqlite::{Durability, SqliteStore};
///
/// // A cache of results that may be computed again.
/// let store = SqliteStore::builder("operations.db").durability(Durability::Normal);
/// let store = store.open().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// The data is on the disk: a loss of power loses nothing that was acknowledged.
    #[default]
    Full,
    /// The operating system has the data: a crash of the process loses nothing, but a loss of power
    /// may lose the last seconds. Many times faster for a single caller on a slow disk; with 64
    /// concurrent callers, group commit reduces the difference to about a tenth.
    Normal,
}
