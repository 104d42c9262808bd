use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use tar::{Archive, EntryType};
use zstd::stream::read::Decoder;

use super::header::{BLOCK_BYTES, TRAILER};
use super::{Control, Error, Progress, READ_BYTES};

/// The contents of a sound archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// SHA-256 of the archive.
    pub sha256: [u8; 32],
    /// Length of the archive.
    pub archive_bytes: u64,
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Bytes of all files.
    pub content_bytes: u64,
}

/// Reads an archive that [`pack`](super::pack()) wrote through to its end: every frame's
/// checksum, every tar header, and the two zero blocks that only a complete archive has.
///
/// Memory does not depend on the archive. Kinds of entries that [`pack`](super::pack()) does not
/// write are corrupt.
///
/// # Errors
///
/// [`Error::Corrupt`] says what is wrong, [`Error::Io`] that the file cannot be read,
/// [`Error::Stopped`] that the control said so.
pub fn verify(path: &Path, control: &mut dyn Control) -> Result<Verification, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    let metadata = file.metadata().map_err(Error::io(path))?;
    if !metadata.is_file() {
        let error = io::Error::other("not a regular file");
        return Err(Error::io(path)(error));
    }
    let shared = Shared {
        control: RefCell::new(control),
        files: Cell::new(0),
        failure: RefCell::new(None),
    };
    let mut input = Input {
        shared: &shared,
        file,
        path,
        hasher: Sha256::new(),
        bytes: 0,
        bytes_total: metadata.len(),
    };
    let counts = read_through(&mut input, &shared);
    let (sha256, archive_bytes) = (input.hasher.finalize().into(), input.bytes);
    let counts = match (shared.failure.into_inner(), counts) {
        (Some(failure), _) => return Err(failure),
        (None, Ok(counts)) => counts,
        (None, Err(error)) => {
            return Err(Error::Corrupt {
                path: path.to_path_buf(),
                reason: error.to_string(),
            });
        }
    };
    Ok(Verification {
        sha256,
        archive_bytes,
        files: shared.files.get(),
        directories: counts.directories,
        symlinks: counts.symlinks,
        content_bytes: counts.bytes,
    })
}

#[derive(Default)]
struct Counts {
    directories: u64,
    symlinks: u64,
    bytes: u64,
}

/// Every error from here is the archive's, unless [`Shared`] holds another.
fn read_through(input: &mut Input<'_, '_>, shared: &Shared<'_>) -> io::Result<Counts> {
    let position = Cell::new(0);
    let mut stream = Counting {
        inner: Decoder::with_buffer(BufReader::with_capacity(READ_BYTES, input))?,
        position: &position,
    };
    let mut counts = Counts::default();
    let mut buffer = vec![0; READ_BYTES];
    let mut content_end: u64 = 0;
    let mut has_dangling_name = false;
    let mut archive = Archive::new(&mut stream);
    // Raw: long names come as entries, read piece by piece, instead of into memory.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let size = entry.header().entry_size()?;
        let kind = entry.header().entry_type();
        let read = drain(&mut entry, &mut buffer)?;
        content_end = position.get();
        if read != size {
            let start = content_end.saturating_sub(read);
            return Err(corrupt(format!("the entry at {start} is cut off")));
        }
        has_dangling_name = false;
        match kind {
            EntryType::Regular => {
                shared.files.set(shared.files.get() + 1);
                counts.bytes = counts.bytes.saturating_add(size);
            }
            EntryType::Directory => counts.directories += 1,
            EntryType::Symlink => counts.symlinks += 1,
            EntryType::GNULongName | EntryType::GNULongLink => has_dangling_name = true,
            other => return Err(corrupt(format!("unexpected entry type {other:?}"))),
        }
    }
    if has_dangling_name {
        return Err(corrupt("a long name without its entry".to_owned()));
    }
    let block = BLOCK_BYTES as u64;
    let content_end = content_end.div_ceil(block) * block;
    rest_is_zero(&mut stream, &mut buffer)?;
    // The end of the data ends the entries just as the zero blocks do.
    if position.get().saturating_sub(content_end) != TRAILER.len() as u64 {
        return Err(corrupt("it does not end where it should".to_owned()));
    }
    Ok(counts)
}

fn drain(entry: &mut dyn Read, buffer: &mut [u8]) -> io::Result<u64> {
    let mut bytes = 0;
    loop {
        match entry.read(buffer)? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}

fn rest_is_zero(stream: &mut dyn Read, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        let read = stream.read(buffer)?;
        if buffer[..read].iter().any(|byte| *byte != 0) {
            return Err(corrupt("data after its end".to_owned()));
        }
        if read == 0 {
            return Ok(());
        }
    }
}

fn corrupt(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// The counts at both ends of the chain of readers.
struct Shared<'a> {
    control: RefCell<&'a mut dyn Control>,
    files: Cell<u64>,
    /// Why the file could not be read on: not the archive's fault.
    failure: RefCell<Option<Error>>,
}

/// The archive's bytes, hashed and counted.
struct Input<'a, 'c> {
    shared: &'a Shared<'c>,
    file: File,
    path: &'a Path,
    hasher: Sha256,
    bytes: u64,
    bytes_total: u64,
}

impl Read for Input<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut control = self.shared.control.borrow_mut();
        if control.is_stopped() {
            self.shared.failure.replace(Some(Error::Stopped));
            return Err(io::Error::other("stopped"));
        }
        let read = match self.file.read(buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                let message = error.to_string();
                let failure = Error::io(self.path)(error);
                self.shared.failure.replace(Some(failure));
                return Err(io::Error::other(message));
            }
        };
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        control.progress(&Progress {
            files_done: self.shared.files.get(),
            bytes_done: self.bytes,
            bytes_total: self.bytes_total,
            archive_bytes: self.bytes,
            ..Progress::default()
        });
        Ok(read)
    }
}

/// The tar stream, with the position in it.
struct Counting<'a, R> {
    inner: R,
    position: &'a Cell<u64>,
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position.set(self.position.get() + read as u64);
        Ok(read)
    }
}
