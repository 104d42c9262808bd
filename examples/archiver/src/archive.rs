//! The packing engine: a directory tree in, one reproducible `.tar.zst` out.
//!
//! ```
//! use archiver::archive::{Destination, Options, Plan, pack, verify};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temporary = tempfile::tempdir()?;
//! # let (source, archives) = (temporary.path().join("photos"), temporary.path().join("archives"));
//! # std::fs::create_dir(&source)?;
//! # std::fs::create_dir(&archives)?;
//! # std::fs::write(source.join("cat.jpg"), b"meow")?;
//! let plan = Plan::scan(&source, &mut ())?;
//! let destination = Destination::new(&archives, "photos")?;
//! let summary = pack(&plan, &destination, &Options::default(), None, &mut ())?;
//! assert_eq!(summary.path, archives.join("photos.tar.zst"));
//! assert_eq!(verify(&summary.path, &mut ())?.sha256, summary.sha256);
//! # Ok(())
//! # }
//! ```
//!
//! # The archive
//!
//! A GNU tar stream, compressed as a sequence of independent zstd frames with checksums; `tar
//! --zstd -xf` reads it. Entries stand in the order of the walk (siblings by the bytes of their
//! names, a directory before its content), with paths relative to the source. The source
//! directory itself has no entry. Mode, owner and modification time (whole seconds, not before
//! 1970) are kept. Symbolic links are packed as links; a file with two hard links is packed
//! twice. Sockets, pipes and devices are skipped and counted. The same tree gives the same bytes.
//!
//! # Checkpoints
//!
//! A frame ends after [`Options::frame_bytes`] of tar stream or [`Options::frame_entries`]
//! entries, be it inside a large file. It is then on disk, and [`Control::checkpoint`] gets a
//! [`Checkpoint`] to store. [`pack`] takes the last one stored, cuts the partial file back to it
//! and resumes: the archive is identical to that of an uninterrupted run. Where that cannot be
//! proven (the tree changed in what is packed already, the partial file is not the one the
//! checkpoint speaks of, the options differ) it starts from scratch; [`Start`] says which.
//!
//! The state of a SHA-256 cannot be stored, so resuming reads the kept part of the partial file
//! once. That also proves that it is the right one.
//!
//! # A source that changes
//!
//! * An entry that vanished, became unreadable or changed its kind after the scan is skipped and
//!   [reported](Summary::skipped).
//! * A file that grew after the scan is packed at the size it has when it is opened; what is
//!   appended later is left out.
//! * A file that shrinks while it is read has already announced more bytes in its header than it
//!   has: [`Error::SourceChanged`].
//! * A file rewritten in place while it is read is packed torn, as by any tar. Nor is the source
//!   guarded against someone who swaps directories for links during the walk.
//!
//! # The partial file
//!
//! [`pack`] writes `<name>.tar.zst.partial` and renames it when complete, replacing an older
//! archive of that name. When it returns an error the partial file stays: the caller knows
//! whether the run will resume later (the process drains) or never will (it was cancelled, it
//! failed). [`PartialGuard`] makes the second the default, [`discard_partial`] is the same by
//! hand. A lock on the file keeps two runs from writing the same archive.
//!
//! A process that dies between the rename and the caller's record of it packs again from scratch,
//! and replaces the archive by its equal.
//!
//! Everything here blocks, and is for Unix.

mod checkpoint;
mod control;
mod destination;
mod digest;
mod entry;
mod error;
mod frames;
mod header;
mod options;
mod pack;
mod partial;
mod plan;
mod resume;
mod skipped;
mod summary;
mod verify;

#[cfg(test)]
mod tests;

pub use self::checkpoint::Checkpoint;
pub use self::control::{Control, Progress, RestartReason, Start};
pub use self::destination::Destination;
pub use self::error::Error;
pub use self::options::Options;
pub use self::pack::pack;
pub use self::partial::{PartialGuard, discard_partial};
pub use self::plan::{ENTRIES_MAX, Plan};
pub use self::skipped::{SKIPPED_MAX, Skipped};
pub use self::summary::Summary;
pub use self::verify::{Verification, verify};

/// Bytes read at once; the stop check is asked between two reads.
const READ_BYTES: usize = 128 * 1024;
