use std::path::PathBuf;
use std::sync::Arc;

use lro_core::store::StoreError;
use lro_core::{Clock, SystemClock};

use crate::store::SqliteStore;

/// How a [`SqliteStore`] is to be opened.
///
/// ```no_run
/// # async fn example() -> Result<(), lro_core::store::StoreError> {
/// use lro_sqlite::{Durability, SqliteStore};
///
/// let store = SqliteStore::builder("operations.db")
///     .durability(Durability::Full)
///     .size_max(10 << 30)
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
    pub(crate) size_max: Option<u64>,
}

impl SqliteStoreBuilder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            clock: Arc::new(SystemClock),
            durability: Durability::default(),
            size_max: None,
        }
    }

    /// What decides when operations are ready and leases are over. Default: the system's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What an acknowledgement means. Default: [`Durability::Full`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How many bytes the database file may grow to, its write-ahead log not counted; at least
    /// what it has. Starts beyond it fail with [`StoreErrorKind::Full`]. Default: SQLite's own
    /// limit of about 16 TiB.
    ///
    /// [`StoreErrorKind::Full`]: lro_core::store::StoreErrorKind::Full
    pub fn size_max(mut self, bytes: u64) -> Self {
        self.size_max = Some(bytes);
        self
    }

    /// Opens the store, makes its file if there is none, and gives back what an earlier process
    /// was running.
    ///
    /// # Errors
    ///
    /// * [`Unusable`]: the directory does not exist, cannot be written, or the file is not a
    ///   store, is another program's, was made by a newer version, or is in use by another process;
    /// * [`Corrupt`]: the file is damaged;
    /// * [`Full`], [`Unavailable`]: the disk is full or fails; later it may work.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped opens nothing; the file is free again as soon as the step that was
    /// under way ends.
    ///
    /// [`Unusable`]: lro_core::store::StoreErrorKind::Unusable
    /// [`Corrupt`]: lro_core::store::StoreErrorKind::Corrupt
    /// [`Full`]: lro_core::store::StoreErrorKind::Full
    /// [`Unavailable`]: lro_core::store::StoreErrorKind::Unavailable
    pub async fn open(self) -> Result<SqliteStore, StoreError> {
        SqliteStore::start_threads(self).await
    }
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// On the disk: nothing acknowledged is lost when the power fails.
    #[default]
    Full,
    /// With the operating system: nothing is lost when the process crashes, but when the power
    /// fails, the last seconds may be. Many times faster for a single caller on a slow disk; with
    /// 64 callers at once, group commit makes the difference about a tenth.
    Normal,
}
