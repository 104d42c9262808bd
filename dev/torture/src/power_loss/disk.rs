//! A disk in memory that remembers in which order it was written to.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which file; a name that is deleted and made again is another file.
pub(crate) type FileId = usize;

/// The contents of a disk, by file name.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// Something that matters for what a power loss leaves.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A file was made. `enters_directory`: its first sync also syncs the directory, as SQLite's
    /// unix VFS does for journals and write-ahead logs.
    Create {
        file: FileId,
        name: String,
        enters_directory: bool,
    },
    /// Bytes were written, and perhaps not yet to the disk.
    Write {
        file: FileId,
        offset: usize,
        data: Box<[u8]>,
    },
    /// A file was cut.
    Truncate { file: FileId, len: usize },
    /// All that was written to a file is on the disk.
    Sync { file: FileId },
    /// A name was removed, and the directory perhaps synced.
    Delete { name: String, sync: bool },
    /// A group of calls was handed to the store.
    Submitted(usize),
    /// The store has answered a call of that group.
    Answered(usize),
}

/// How far a connection has locked a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lock {
    Shared = 1,
    Reserved,
    Pending,
    Exclusive,
}

/// The disk as programs see it, with what it will say of itself afterwards.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, FileId>,
    files: Vec<File>,
    log: Vec<Event>,
    recording: bool,
    handles: usize,
}

#[derive(Debug, Default)]
struct File {
    bytes: Vec<u8>,
    /// By handle.
    locks: BTreeMap<usize, Lock>,
}

impl Disk {
    /// A disk on which this lies, safely.
    pub(crate) fn holding(image: Image) -> Self {
        let mut state = State::default();
        for (name, bytes) in image {
            state.names.insert(name, state.files.len());
            let locks = BTreeMap::new();
            state.files.push(File { bytes, locks });
        }
        Self {
            state: Mutex::new(state),
        }
    }

    /// Remembers events from now on.
    pub(crate) fn record(&self) {
        self.state().recording = true;
    }

    /// Gives what was remembered, and remembers no more.
    pub(crate) fn stop_recording(&self) -> Vec<Event> {
        let mut state = self.state();
        state.recording = false;
        std::mem::take(&mut state.log)
    }

    /// Its contents, synced or not.
    pub(crate) fn image(&self) -> Image {
        let state = self.state();
        let files = state.names.iter();
        files
            .map(|(name, file)| (name.clone(), state.files[*file].bytes.clone()))
            .collect()
    }

    /// Remembers an event of the caller's.
    pub(crate) fn mark(&self, event: Event) {
        self.state().log(|| event);
    }

    /// Opens a file; gives it and a handle for its locks.
    pub(crate) fn open(
        &self,
        name: &str,
        create: bool,
        enters_directory: bool,
    ) -> Option<(FileId, usize)> {
        let mut state = self.state();
        state.handles += 1;
        let handle = state.handles;
        if let Some(file) = state.names.get(name) {
            return Some((*file, handle));
        }
        if !create {
            return None;
        }
        let file = state.files.len();
        state.files.push(File::default());
        state.names.insert(name.to_owned(), file);
        state.log(|| Event::Create {
            file,
            name: name.to_owned(),
            enters_directory,
        });
        Some((file, handle))
    }

    pub(crate) fn close(&self, file: FileId, handle: usize) {
        self.state().files[file].locks.remove(&handle);
    }

    /// Whether SQLite is to see the file: one without a byte is as good as none.
    pub(crate) fn exists(&self, name: &str) -> bool {
        let state = self.state();
        let file = state.names.get(name);
        file.is_some_and(|file| !state.files[*file].bytes.is_empty())
    }

    /// Removes a name; `false` when there is none.
    pub(crate) fn delete(&self, name: &str, sync: bool) -> bool {
        let mut state = self.state();
        let deleted = state.names.remove(name).is_some();
        if deleted {
            state.log(|| Event::Delete {
                name: name.to_owned(),
                sync,
            });
        }
        deleted
    }

    /// Reads; what the file does not have is zero. Gives how much it had.
    pub(crate) fn read(&self, file: FileId, offset: usize, into: &mut [u8]) -> usize {
        let state = self.state();
        let bytes = &state.files[file].bytes;
        let from = offset.min(bytes.len());
        let len = into.len().min(bytes.len() - from);
        into[..len].copy_from_slice(&bytes[from..from + len]);
        into[len..].fill(0);
        len
    }

    pub(crate) fn write(&self, file: FileId, offset: usize, data: &[u8]) {
        let mut state = self.state();
        overwrite(&mut state.files[file].bytes, offset, data);
        state.log(|| Event::Write {
            file,
            offset,
            data: data.into(),
        });
    }

    pub(crate) fn truncate(&self, file: FileId, len: usize) {
        let mut state = self.state();
        state.files[file].bytes.resize(len, 0);
        state.log(|| Event::Truncate { file, len });
    }

    pub(crate) fn sync(&self, file: FileId) {
        self.state().log(|| Event::Sync { file });
    }

    pub(crate) fn len(&self, file: FileId) -> usize {
        self.state().files[file].bytes.len()
    }

    /// Whether the handle has got the lock.
    pub(crate) fn lock(&self, file: FileId, handle: usize, wanted: Lock) -> bool {
        let mut state = self.state();
        let locks = &mut state.files[file].locks;
        if locks.get(&handle).is_some_and(|held| *held >= wanted) {
            return true;
        }
        let others = locks.iter().filter(|(other, _)| **other != handle);
        let highest = others.map(|(_, lock)| *lock).max();
        let granted = match wanted {
            Lock::Shared => highest < Some(Lock::Pending),
            Lock::Reserved => highest < Some(Lock::Reserved),
            Lock::Pending | Lock::Exclusive => highest.is_none(),
        };
        if granted {
            locks.insert(handle, wanted);
        } else if wanted == Lock::Exclusive && highest < Some(Lock::Reserved) {
            // No other connection gets in any more; readers finish.
            locks.insert(handle, Lock::Pending);
        }
        granted
    }

    pub(crate) fn unlock(&self, file: FileId, handle: usize, kept: Option<Lock>) {
        let mut state = self.state();
        let locks = &mut state.files[file].locks;
        match kept {
            Some(lock) => locks.insert(handle, lock),
            None => locks.remove(&handle),
        };
    }

    pub(crate) fn is_reserved(&self, file: FileId) -> bool {
        let state = self.state();
        let mut locks = state.files[file].locks.values();
        locks.any(|lock| *lock >= Lock::Reserved)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn log(&mut self, event: impl FnOnce() -> Event) {
        if self.recording {
            self.log.push(event());
        }
    }
}

/// Writes into a file's bytes; a hole before them is zero.
pub(crate) fn overwrite(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_keep_others_out() {
        let disk = Disk::default();
        let (file, one) = disk.open("a", true, false).unwrap();
        let (_, two) = disk.open("a", false, false).unwrap();
        assert!(disk.lock(file, one, Lock::Shared) && disk.lock(file, two, Lock::Shared));
        assert!(disk.lock(file, one, Lock::Reserved));
        assert!(!disk.lock(file, two, Lock::Reserved) && disk.is_reserved(file));
        assert!(!disk.lock(file, one, Lock::Exclusive));
        disk.close(file, two);
        let (_, three) = disk.open("a", false, false).unwrap();
        assert!(
            !disk.lock(file, three, Lock::Shared),
            "one is waiting for its end"
        );
        assert!(disk.lock(file, one, Lock::Exclusive));
        disk.unlock(file, one, None);
        assert!(disk.lock(file, three, Lock::Shared));
    }
}
