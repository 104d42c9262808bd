use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Options;
use super::entry::{Entry, EntryKind};

/// Changes whenever the bytes that [`pack`](super::pack()) writes for a tree change, so that no
/// archive is half old, half new.
const FORMAT: &[u8] = b"archiver 1";

/// Runs over the entries that are packed: two equal digests have equal archives so far.
#[derive(Clone, Debug)]
pub(super) struct EntriesDigest(Sha256);

impl EntriesDigest {
    pub(super) fn new(root: &Path, options: &Options) -> Self {
        let mut digest = Self(Sha256::new());
        digest.bytes(FORMAT);
        digest.bytes(root.as_os_str().as_bytes());
        digest.number(options.frame_bytes);
        digest.number(u64::from(options.frame_entries));
        digest.number(u64::from(options.level.cast_unsigned()));
        digest
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        self.bytes(entry.path.as_os_str().as_bytes());
        match &entry.kind {
            EntryKind::Directory => self.number(0),
            EntryKind::File { size } => {
                self.number(1);
                self.number(*size);
                self.time(entry);
            }
            EntryKind::Symlink { target } => {
                self.number(2);
                self.bytes(target.as_os_str().as_bytes());
                self.time(entry);
            }
        }
        self.number(u64::from(entry.mode));
        self.number(u64::from(entry.uid));
        self.number(u64::from(entry.gid));
    }

    /// The digest so far, with the file `begun` if there is one, and how far it is packed.
    pub(super) fn value(&self, begun: Option<(&Entry, u64)>) -> Vec<u8> {
        let mut digest = self.clone();
        if let Some((entry, offset)) = begun {
            digest.number(offset);
            digest.add(entry);
        }
        digest.0.finalize().to_vec()
    }

    fn time(&mut self, entry: &Entry) {
        self.number(entry.mtime.cast_unsigned());
        self.number(entry.mtime_nanos.cast_unsigned());
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }
}
