//! The archives there are: files in one directory.
//!
//! An archive `a` is two files: `a.tar.zst`, and the record `a.tar.zst.meta` with what callers see
//! of it. The record is written last and removed first, each in one step, and only an archive with
//! a record is visible. So, wherever a process is killed, there is
//!
//! * a partial file, or an archive without a record: the operation that was making it resumes
//!   from there; if there is none any more, [`sweep`](crate::service::sweep) removes it;
//! * or an archive with its record: complete. The record names the operation that made it, which
//!   tells that operation, run again, that it is done;
//! * or, once the record is removed, an archive that is as good as deleted.

mod archive_id;
mod files;
mod reservation;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message as _;

pub(crate) use archive_id::ArchiveId;
pub(crate) use reservation::Reservation;
use reservation::Reservations;

use crate::archive::{Destination, Error};
use crate::pb::{Archive, ArchiveRecord};

const RECORD_SUFFIX: &str = ".tar.zst.meta";
const NEW_RECORD_SUFFIX: &str = ".tar.zst.meta.new";
const ARCHIVE_SUFFIX: &str = ".tar.zst";
const PARTIAL_SUFFIX: &str = ".tar.zst.partial";

/// The archives in a directory. A cheap clone. Its methods block.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    directory: Arc<Path>,
    reservations: Reservations,
}

/// A part of the list of archives.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) archives: Vec<Archive>,
    /// The last one, if others follow.
    pub(crate) next: Option<ArchiveId>,
}

impl Catalog {
    /// The archives in this directory, which is made if it is not there.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self {
            directory: directory.canonicalize()?.into(),
            reservations: Reservations::default(),
        })
    }

    /// The right to change this archive, unless another caller has it. For one process: the lock on the
    /// database keeps others out.
    pub(crate) fn reserve(&self, id: &ArchiveId) -> Option<Reservation> {
        self.reservations.reserve(id)
    }

    /// Where the engine is to pack this archive.
    pub(crate) fn destination(&self, id: &ArchiveId) -> Result<Destination, Error> {
        Destination::new(&*self.directory, id.as_str())
    }

    /// The record of a complete archive.
    pub(crate) fn find(&self, id: &ArchiveId) -> Result<Option<ArchiveRecord>, Error> {
        let path = self.path(id, RECORD_SUFFIX);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Error::Io { path, cause }),
        };
        let record = ArchiveRecord::decode(&*bytes).map_err(|error| Error::Corrupt {
            reason: error.to_string(),
            path,
        })?;
        Ok(Some(record))
    }

    /// A complete archive as callers see it.
    pub(crate) fn get(&self, id: &ArchiveId) -> Result<Option<Archive>, Error> {
        Ok(self.find(id)?.map(|record| self.visible(id, record)))
    }

    /// The archives behind the given one in the order of ids, at most `limit` of them. Records that
    /// cannot be read are left out.
    pub(crate) fn list(&self, after: Option<&ArchiveId>, limit: usize) -> Result<Page, Error> {
        let mut ids = self.ids_with(RECORD_SUFFIX)?;
        ids.retain(|id| after.is_none_or(|after| id > after));
        ids.sort_unstable();
        let mut page = Page::default();
        let mut ids = ids.into_iter().peekable();
        while let Some(id) = ids.next() {
            match self.get(&id) {
                Ok(archive) => page.archives.extend(archive),
                Err(error) => tracing::error!(%id, ?error, "cannot read an archive's record"),
            }
            if page.archives.len() >= limit {
                page.next = ids.peek().is_some().then_some(id);
                break;
            }
        }
        Ok(page)
    }

    /// Makes the complete archive visible, durably.
    pub(crate) fn record(
        &self,
        reservation: &Reservation,
        record: ArchiveRecord,
    ) -> Result<Archive, Error> {
        let id = reservation.id();
        let new = self.path(id, NEW_RECORD_SUFFIX);
        files::replace(&new, &self.path(id, RECORD_SUFFIX), &record.encode_to_vec())?;
        Ok(self.visible(id, record))
    }

    /// Makes an archive that is complete but has no record a partial file again, for its operation
    /// to resume from: the process ended between the two.
    pub(crate) fn reopen(&self, reservation: &Reservation) -> Result<(), Error> {
        let id = reservation.id();
        let archive = self.path(id, ARCHIVE_SUFFIX);
        match fs::rename(&archive, self.path(id, PARTIAL_SUFFIX)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(Error::Io {
                path: archive,
                cause,
            }),
            Ok(()) => files::sync_directory(&self.directory),
        }
    }

    /// Removes whatever there is of this archive, the record first.
    pub(crate) fn remove(&self, reservation: &Reservation) -> Result<(), Error> {
        let suffixes = [
            RECORD_SUFFIX,
            NEW_RECORD_SUFFIX,
            ARCHIVE_SUFFIX,
            PARTIAL_SUFFIX,
        ];
        for suffix in suffixes {
            if files::remove(&self.path(reservation.id(), suffix))? && suffix == RECORD_SUFFIX {
                // Without this a power failure could bring the record back alone.
                files::sync_directory(&self.directory)?;
            }
        }
        files::sync_directory(&self.directory)
    }

    /// Archives that are begun, or are not yet visible, or are not any more.
    pub(crate) fn unfinished(&self) -> Result<Vec<ArchiveId>, Error> {
        let mut ids = self.ids_with(PARTIAL_SUFFIX)?;
        ids.extend(self.ids_with(NEW_RECORD_SUFFIX)?);
        ids.extend(self.ids_with(ARCHIVE_SUFFIX)?);
        ids.retain(|id| !self.path(id, RECORD_SUFFIX).exists());
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn ids_with(&self, suffix: &str) -> Result<Vec<ArchiveId>, Error> {
        let names = files::names(&self.directory)?;
        let ids = names.iter().filter_map(|name| name.strip_suffix(suffix));
        Ok(ids.filter_map(ArchiveId::new).collect())
    }

    fn path(&self, id: &ArchiveId, suffix: &str) -> PathBuf {
        self.directory.join(format!("{id}{suffix}"))
    }

    /// The path is not recorded, so that the directory may be moved.
    fn visible(&self, id: &ArchiveId, record: ArchiveRecord) -> Archive {
        let path = self.path(id, ARCHIVE_SUFFIX);
        Archive {
            name: id.name(),
            path: path.to_string_lossy().into_owned(),
            ..record.archive.unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: &str) -> ArchiveId {
        ArchiveId::new(id).unwrap()
    }

    fn record(operation: &str) -> ArchiveRecord {
        ArchiveRecord {
            archive: Some(Archive::default()),
            operation: operation.to_owned(),
            request_id: String::new(),
        }
    }

    #[test]
    fn only_a_record_makes_an_archive_visible() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&directory.path().join("new")).unwrap();
        let a = catalog.reserve(&id("a")).unwrap();
        let archive = directory.path().join("new/a.tar.zst");
        fs::write(&archive, b"packed").unwrap();
        assert_eq!(catalog.get(&id("a")).unwrap(), None);
        assert_eq!(catalog.unfinished().unwrap(), [id("a")]);

        catalog.reopen(&a).unwrap();
        catalog.reopen(&a).unwrap();
        assert!(!archive.exists());
        fs::rename(directory.path().join("new/a.tar.zst.partial"), &archive).unwrap();

        let made = catalog.record(&a, record("operations/1")).unwrap();
        assert_eq!(made.path, archive.canonicalize().unwrap().to_str().unwrap());
        assert_eq!(catalog.get(&id("a")).unwrap(), Some(made));
        assert_eq!(catalog.unfinished().unwrap(), []);

        catalog.remove(&a).unwrap();
        catalog.remove(&a).unwrap();
        assert_eq!(files::names(&catalog.directory).unwrap(), [""; 0]);
    }

    #[test]
    fn lists_continue_behind_an_id_and_skip_corrupt_rows() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(directory.path()).unwrap();
        for name in ["c", "a", "b", "d"] {
            let reserved = catalog.reserve(&id(name)).unwrap();
            catalog.record(&reserved, record("operations/1")).unwrap();
        }
        fs::write(directory.path().join("b.tar.zst.meta"), [0xff]).unwrap();
        fs::write(directory.path().join("..tar.zst.meta"), []).unwrap();
        let names = |after: Option<&ArchiveId>, limit| {
            let page = catalog.list(after, limit).unwrap();
            let names: Vec<_> = page.archives.into_iter().map(|it| it.name).collect();
            (names.join(" "), page.next)
        };
        assert_eq!(names(None, 1), ("archives/a".to_owned(), Some(id("a"))));
        let rest = "archives/c archives/d".to_owned();
        assert_eq!(names(Some(&id("a")), 2), (rest.clone(), None));
        assert_eq!(names(Some(&id("a")), 9), (rest, None));
        let corrupt = catalog.find(&id("b")).unwrap_err();
        assert!(matches!(corrupt, Error::Corrupt { .. }));
    }
}
