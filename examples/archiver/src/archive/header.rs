use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::{EntryType, Header};

use super::entry::{Entry, EntryKind};

/// The unit of a tar stream.
pub(super) const BLOCK_BYTES: usize = 512;

/// Ends a tar stream.
pub(super) const TRAILER: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

/// The bytes before an entry's data: its header, and GNU's long-name entries if it needs them.
///
/// Names go in byte for byte. `tar::Builder` would check and tidy them, and refuses some long
/// names that are not UTF-8.
pub(super) fn encode(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut stream = Vec::with_capacity(BLOCK_BYTES);
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(u64::from(entry.uid));
    header.set_gid(u64::from(entry.gid));
    header.set_mtime(u64::try_from(entry.mtime).unwrap_or(0));
    header.set_size(entry.size());

    let mut name = entry.path.as_os_str().as_bytes().to_vec();
    match &entry.kind {
        EntryKind::Directory => {
            header.set_entry_type(EntryType::Directory);
            name.push(b'/');
        }
        EntryKind::File { .. } => header.set_entry_type(EntryType::Regular),
        EntryKind::Symlink { target } => {
            header.set_entry_type(EntryType::Symlink);
            let target = target.as_os_str().as_bytes();
            let field = &mut header.as_old_mut().linkname;
            fill(&mut stream, field, target, EntryType::GNULongLink)?;
        }
    }
    let field = &mut header.as_old_mut().name;
    fill(&mut stream, field, &name, EntryType::GNULongName)?;
    header.set_cksum();
    stream.extend_from_slice(header.as_bytes());
    Ok(stream)
}

/// Zeros between the end of an entry's data and the next block.
pub(super) fn padding(size: u64) -> &'static [u8] {
    let block = BLOCK_BYTES as u64;
    // The remainder is below 512.
    let rest = (block - size % block) % block;
    &TRAILER[..rest as usize]
}

/// Puts a name into its field of the header; one that is too long goes, whole, into an entry of
/// its own before it.
fn fill(
    stream: &mut Vec<u8>,
    field: &mut [u8; 100],
    name: &[u8],
    long: EntryType,
) -> io::Result<()> {
    let kept = name.len().min(field.len());
    field[..kept].copy_from_slice(&name[..kept]);
    if kept < name.len() {
        let size = name.len() as u64 + 1;
        let mut header = Header::new_gnu();
        header.set_path(Path::new("././@LongLink"))?;
        header.set_entry_type(long);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header.set_cksum();
        stream.extend_from_slice(header.as_bytes());
        stream.extend_from_slice(name);
        stream.push(0);
        stream.extend_from_slice(padding(size));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_up_to_100_bytes_take_one_block() {
        for (length, blocks) in [(1, 1), (100, 1), (101, 3), (511, 3), (512, 4)] {
            let entry = Entry {
                path: "x".repeat(length).into(),
                kind: EntryKind::File { size: u64::MAX },
                mode: 0o7777,
                uid: u32::MAX,
                gid: u32::MAX,
                mtime: i64::MIN,
                mtime_nanos: 0,
            };
            let stream = encode(&entry).unwrap();
            assert_eq!(stream.len(), blocks * BLOCK_BYTES, "{length}");
        }
    }

    #[test]
    fn padding_fills_the_block() {
        for (size, pad) in [(0, 0), (1, 511), (511, 1), (512, 0), (u64::MAX, 1)] {
            assert_eq!(padding(size).len(), pad, "{size}");
        }
    }
}
