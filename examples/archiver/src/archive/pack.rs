use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::control::check;
use super::digest::EntriesDigest;
use super::entry::{Entry, EntryKind, Opened};
use super::frames::FrameWriter;
use super::header::{BLOCK_BYTES, TRAILER, encode, padding};
use super::partial::Partial;
use super::resume;
use super::skipped::SkippedList;
use super::{
    Checkpoint, Control, Destination, Error, Options, Plan, Progress, READ_BYTES, Summary,
};

/// Packs what `plan` found to `destination`, from `checkpoint` on if there is one.
///
/// To resume after a crash, scan again, and pass the last checkpoint that was stored.
///
/// # Errors
///
/// [`Error::Stopped`] when the control says so. [`Error::Busy`] while another run writes the same
/// archive. [`Error::SourceChanged`] or [`Error::SourceUnreadable`] for a file that cannot be
/// completed. [`Error::DestinationInsideSource`], [`Error::PartialLost`] and [`Error::Io`].
/// The partial file stays, see [`PartialGuard`](super::PartialGuard).
pub fn pack(
    plan: &Plan,
    destination: &Destination,
    options: &Options,
    checkpoint: Option<&Checkpoint>,
    control: &mut dyn Control,
) -> Result<Summary, Error> {
    check(control)?;
    destination.ensure_outside(plan.root())?;
    let mut partial = Partial::open(destination)?;
    let position = resume::position(plan, options, checkpoint, &mut partial, control)?;
    control.started(position.start);

    let state = position.checkpoint;
    let frames = FrameWriter::new(
        partial,
        options.level,
        position.hasher,
        state.archive_bytes,
        state.tar_bytes,
    )?;
    // The checkpoint agrees with the plan, so this is within it.
    let done = usize::try_from(state.entries_done).unwrap_or(usize::MAX);
    let left = plan.list().get(done..).unwrap_or_default();
    let bytes = left.iter().map(Entry::size).fold(0, u64::saturating_add);
    let mut packing = Packing {
        root: plan.root(),
        options,
        skipped_by_scan: plan.skipped_count(),
        files_left: left.iter().filter(|it| it.is_file()).count() as u64,
        bytes_left: bytes.saturating_sub(state.entry_offset),
        skipped: SkippedList::from_parts(state.skipped_count, &state.skipped),
        digest: position.digest,
        state,
        frames,
        frame_entries: 0,
        buffer: vec![0; READ_BYTES],
        control,
    };
    packing.run(left)?;

    let Packing {
        state,
        frames,
        skipped,
        ..
    } = packing;
    let (sha256, archive_bytes) = (frames.sha256(), frames.archive_bytes());
    let path = frames.into_partial().publish(destination)?;
    let skipped = plan.skipped_list().followed_by(&skipped);
    Ok(Summary {
        path,
        files: state.files_done,
        directories: state.directories_done,
        symlinks: state.symlinks_done,
        source_bytes: state.bytes_done,
        archive_bytes,
        sha256,
        skipped_count: skipped.count(),
        skipped: skipped.first().to_vec(),
    })
}

/// One run of [`pack`].
struct Packing<'a> {
    root: &'a Path,
    options: &'a Options,
    skipped_by_scan: u64,
    /// The counters run here; the rest is filled in at each checkpoint.
    state: Checkpoint,
    skipped: SkippedList,
    digest: EntriesDigest,
    frames: FrameWriter,
    /// Entries completed in the current frame.
    frame_entries: u32,
    /// The bytes of the entries that are not begun, as far as the plan knows.
    files_left: u64,
    bytes_left: u64,
    buffer: Vec<u8>,
    control: &'a mut dyn Control,
}

impl Packing<'_> {
    fn run(&mut self, left: &[Entry]) -> Result<(), Error> {
        self.progress(0, 0);
        // A directory that went, and with it what was in it: never packed through a link that
        // has taken its place.
        let mut lost: Option<&Path> = None;
        for planned in left {
            check(self.control)?;
            self.files_left -= u64::from(planned.is_file());
            let to_come = planned.size().saturating_sub(self.state.entry_offset);
            self.bytes_left = self.bytes_left.saturating_sub(to_come);
            let opened = match lost {
                Some(directory) if planned.path.starts_with(directory) => {
                    Opened::Lost("its directory was removed".to_owned())
                }
                _ => planned.open(self.root),
            };
            if matches!(
                (&opened, &planned.kind),
                (Opened::Lost(_), EntryKind::Directory)
            ) {
                lost = Some(&planned.path);
            }
            self.entry(planned, opened)?;
            self.progress(0, 0);
        }
        self.frames.write(&TRAILER)?;
        self.frames.end_frame()?;
        check(self.control)
    }

    fn entry(&mut self, planned: &Entry, opened: Opened) -> Result<(), Error> {
        // Not 0 only for the first entry after resuming inside a file.
        let offset = std::mem::take(&mut self.state.entry_offset);
        let changed = || Error::SourceChanged {
            path: self.root.join(&planned.path),
        };
        let entry = match opened {
            Opened::Lost(_) if offset > 0 => return Err(changed()),
            Opened::Lost(reason) => {
                // The next scan will not find it either: it is not among the entries done.
                self.skipped.push(&planned.path, &reason);
                return Ok(());
            }
            Opened::Unreadable(_, cause) if offset > 0 => {
                let path = self.root.join(&planned.path);
                return Err(Error::SourceUnreadable { path, cause });
            }
            Opened::Unreadable(entry, reason) => {
                self.skipped.push(&planned.path, &reason);
                self.done(&entry);
                return Ok(());
            }
            Opened::Plain(entry) => {
                self.frames.write(&header(self.root, &entry)?)?;
                entry
            }
            Opened::File(entry, file) => {
                if offset == 0 {
                    self.frames.write(&header(self.root, &entry)?)?;
                } else if self.digest.value(Some((&entry, offset)))
                    != self.digest.value(Some((planned, offset)))
                {
                    return Err(changed());
                }
                self.content(&entry, file, offset)?;
                entry
            }
        };
        match entry.kind {
            EntryKind::Directory => add(&mut self.state.directories_done, 1),
            EntryKind::File { .. } => add(&mut self.state.files_done, 1),
            EntryKind::Symlink { .. } => add(&mut self.state.symlinks_done, 1),
        }
        self.done(&entry);
        self.frame_entries = self.frame_entries.saturating_add(1);
        if self.is_frame_full() || self.frame_entries >= self.options.frame_entries {
            self.end_frame(None)?;
        }
        Ok(())
    }

    /// Packs a file's bytes from `offset` on, and the padding.
    fn content(&mut self, entry: &Entry, mut file: File, mut offset: u64) -> Result<(), Error> {
        let size = entry.size();
        let path = self.root.join(&entry.path);
        let unreadable = |cause| Error::SourceUnreadable {
            path: path.clone(),
            cause,
        };
        file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        while offset < size {
            check(self.control)?;
            // A frame takes what still fits, and never just a header: a frame's end inside an
            // entry is a place in its content.
            let room = self.options.frame_bytes;
            let room = room.saturating_sub(self.frames.frame_bytes());
            let want = (size - offset)
                .min(READ_BYTES as u64)
                .min(room.max(BLOCK_BYTES as u64)) as usize;
            match file.read_exact(&mut self.buffer[..want]) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Error::SourceChanged { path });
                }
                Err(error) => return Err(unreadable(error)),
            }
            self.frames.write(&self.buffer[..want])?;
            offset += want as u64;
            add(&mut self.state.bytes_done, want as u64);
            self.progress(1, size - offset);
            if offset < size && self.is_frame_full() {
                self.end_frame(Some((entry, offset)))?;
            }
        }
        self.frames.write(padding(size))
    }

    fn done(&mut self, entry: &Entry) {
        self.digest.add(entry);
        add(&mut self.state.entries_done, 1);
    }

    fn is_frame_full(&self) -> bool {
        self.frames.frame_bytes() >= self.options.frame_bytes
    }

    fn end_frame(&mut self, begun: Option<(&Entry, u64)>) -> Result<(), Error> {
        self.frames.end_frame()?;
        self.frame_entries = 0;
        self.state.entry_offset = begun.map_or(0, |(_, offset)| offset);
        self.state.tar_bytes = self.frames.stream_bytes();
        self.state.archive_bytes = self.frames.archive_bytes();
        self.state.archive_sha256 = self.frames.sha256().to_vec();
        self.state.entries_sha256 = self.digest.value(begun);
        self.state.skipped_count = self.skipped.count();
        self.state.skipped = self.skipped.first().to_vec();
        let flow = self.control.checkpoint(&self.state);
        self.state.entry_offset = 0;
        if flow.is_break() {
            return Err(Error::Stopped);
        }
        Ok(())
    }

    /// Reports, with what the entry being packed still has to bring.
    fn progress(&mut self, files_begun: u64, bytes_begun: u64) {
        let (files_done, bytes_done) = (self.state.files_done, self.state.bytes_done);
        let files_left = self.files_left.saturating_add(files_begun);
        let bytes_left = self.bytes_left.saturating_add(bytes_begun);
        self.control.progress(&Progress {
            files_done,
            files_total: files_done.saturating_add(files_left),
            bytes_done,
            bytes_total: bytes_done.saturating_add(bytes_left),
            archive_bytes: self.frames.archive_bytes(),
            skipped_count: self.skipped_by_scan.saturating_add(self.skipped.count()),
        });
    }
}

fn header(root: &Path, entry: &Entry) -> Result<Vec<u8>, Error> {
    encode(entry).map_err(|cause| Error::SourceUnreadable {
        path: root.join(&entry.path),
        cause,
    })
}

/// Counters may come from a corrupt store.
fn add(counter: &mut u64, more: u64) {
    *counter = counter.saturating_add(more);
}
