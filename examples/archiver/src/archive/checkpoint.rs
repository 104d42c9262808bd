use super::Skipped;

/// The place where packing can resume after a crash: everything up to `archive_bytes` is on disk.
///
/// Plain integers and bytes, one for each field of a message that stores it. A value that was
/// corrupt in the store leads to a start from scratch, never to a wrong archive; its counters are
/// taken over as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Entries of the plan that are dealt with. Those that vanished after the scan are not among
    /// them, since the next scan does not find them either.
    pub entries_done: u64,
    /// Bytes packed of the regular file that follows, 0 if none were.
    pub entry_offset: u64,
    /// Directories packed.
    pub directories_done: u64,
    /// Regular files packed completely.
    pub files_done: u64,
    /// Symbolic links packed.
    pub symlinks_done: u64,
    /// Bytes of regular files packed.
    pub bytes_done: u64,
    /// Length of the tar stream before compression.
    pub tar_bytes: u64,
    /// Length of the partial file that counts; what follows is torn.
    pub archive_bytes: u64,
    /// SHA-256 of that part of the partial file.
    pub archive_sha256: Vec<u8>,
    /// SHA-256 over the source's path, the options, and path, kind, size, modification time, mode
    /// and owner of every entry dealt with or begun, and `entry_offset`. The times of directories are left out: they
    /// change with every neighbour, and the entries inside speak for themselves.
    pub entries_sha256: Vec<u8>,
    /// Entries skipped while packing. The next scan skips the same entries again.
    pub skipped_count: u64,
    /// The first [`SKIPPED_MAX`](super::SKIPPED_MAX) of them.
    pub skipped: Vec<Skipped>,
}
