//! A tree that is the same every time, and its comparison.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

/// A few thousand small files, some that compress and some that do not, two larger ones, links,
/// modes, empty directories. Some megabytes.
pub fn grow(root: &Path) {
    for directory in 0..40_u64 {
        let path = root.join(format!("d{directory:02}"));
        fs::create_dir(&path).unwrap();
        for file in 0..75_u64 {
            let seed = directory * 1_000 + file;
            let length = (seed * 7_919 % 3_000) as usize;
            let content = match file % 3 {
                0 => noise(seed, length),
                1 => format!("line {seed}\n").repeat(length / 8).into_bytes(),
                _ => vec![b'x'; length],
            };
            fs::write(path.join(format!("f{file:03}")), content).unwrap();
        }
        symlink(format!("../d{directory:02}/f001"), path.join("link")).unwrap();
        fs::create_dir(path.join("nothing")).unwrap();
    }
    fs::write(root.join("d15/large-noise"), noise(1, 1_500_000)).unwrap();
    fs::write(root.join("d30/large-zeros"), vec![0; 1_000_000]).unwrap();
    for (path, mode) in [("d00/f000", 0o755), ("d01/f001", 0o600), ("d02", 0o700)] {
        fs::set_permissions(root.join(path), Permissions::from_mode(mode)).unwrap();
    }
}

/// Path, mode with kind, content: what an archive keeps of a tree.
pub fn read(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let walk = WalkDir::new(root).min_depth(1).into_iter();
    walk.map(|entry| {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let content = if metadata.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            target.as_os_str().as_bytes().to_vec()
        } else if metadata.is_file() {
            fs::read(entry.path()).unwrap()
        } else {
            Vec::new()
        };
        let path = entry.path().strip_prefix(root).unwrap().to_path_buf();
        (path, (metadata.mode(), content))
    })
    .collect()
}

/// Whether the archive unpacks, with the system's tar, to the tree it was made of.
pub fn assert_unpacks_to(archive: &Path, source: &Path) {
    let unpacked = tempfile::tempdir().unwrap();
    let stream = zstd::decode_all(&*fs::read(archive).unwrap()).unwrap();
    let mut tar = Command::new("tar")
        .args(["-xpf", "-", "-C"])
        .arg(unpacked.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    tar.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(tar.wait().unwrap().success());
    let (found, expected) = (read(unpacked.path()), read(source));
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (path, entry) in &expected {
        assert!(found[path] == *entry, "{} differs", path.display());
    }
}

pub fn sha256(path: &Path) -> String {
    hex::encode(Sha256::digest(fs::read(path).unwrap()))
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(1);
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}
