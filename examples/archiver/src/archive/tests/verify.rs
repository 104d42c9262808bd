use std::fs;
use std::path::PathBuf;

use super::fixtures::{Fixture, Recorder, noise, small_frames};
use crate::archive::{Error, Options, verify};

#[test]
fn a_sound_archive_is_counted() {
    for options in [Options::default(), small_frames()] {
        let fixture = Fixture::full();
        let (summary, _) = fixture.pack_whole("a", &options);
        let mut recorder = Recorder::default();
        let verification = verify(&summary.path, &mut recorder).unwrap();
        assert_eq!(verification.sha256, summary.sha256);
        assert_eq!(verification.archive_bytes, summary.archive_bytes);
        assert_eq!(verification.files, summary.files);
        assert_eq!(verification.directories, summary.directories);
        assert_eq!(verification.symlinks, summary.symlinks);
        assert_eq!(verification.content_bytes, summary.source_bytes);
        let last = recorder.progress.last().unwrap();
        assert_eq!(
            (last.bytes_done, last.files_done),
            (last.bytes_total, summary.files)
        );
    }
}

/// Verifies `bytes`, and expects them to be corrupt.
fn check_corrupt(fixture: &Fixture, bytes: &[u8], case: &str) -> String {
    let path = write(fixture, bytes);
    match verify(&path, &mut ()) {
        Err(Error::Corrupt {
            path: named,
            reason,
        }) => {
            assert_eq!(named, path);
            reason
        }
        other => panic!("{case}: {other:?}"),
    }
}

fn write(fixture: &Fixture, bytes: &[u8]) -> PathBuf {
    let path = fixture.unpacked().join("corrupt.tar.zst");
    fs::write(&path, bytes).unwrap();
    path
}

/// A few bytes of a frame's header, such as the size of its window, may change without any effect
/// on what comes out. Then only the digest tells, which is why the service compares it.
#[test]
fn every_flipped_byte_is_found_or_shows_in_the_digest() {
    let fixture = Fixture::full();
    let (summary, bytes) = fixture.pack_whole("a", &small_frames());
    for i in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[i] ^= 0xff;
        match verify(&write(&fixture, &flipped), &mut ()) {
            Err(Error::Corrupt { .. }) => {}
            Ok(verified) => {
                assert_ne!(verified.sha256, summary.sha256, "byte {i}");
                assert_eq!(verified.content_bytes, summary.source_bytes, "byte {i}");
            }
            Err(other) => panic!("byte {i}: {other:?}"),
        }
    }
}

#[test]
fn every_cut_is_found() {
    let fixture = Fixture::empty();
    // Zeros at the end of the content must not pass for the end of the archive.
    fixture.write("a", &noise(1, 3_000));
    fixture.write("b", &[0; 4_000]);
    let (_, bytes) = fixture.pack_whole("a", &small_frames());
    for length in 0..bytes.len() {
        check_corrupt(&fixture, &bytes[..length], &format!("length {length}"));
    }
}

#[test]
fn data_after_the_end_is_found() {
    let fixture = Fixture::full();
    let (_, bytes) = fixture.pack_whole("a", &small_frames());
    let frame = |content: &[u8]| zstd::encode_all(content, 1).unwrap();
    for more in [b"x".to_vec(), frame(b"x"), frame(&[0; 512]), bytes.clone()] {
        check_corrupt(&fixture, &[&bytes[..], &more].concat(), "more");
    }
}

#[test]
fn reasons_are_reported() {
    let fixture = Fixture::full();
    let (_, bytes) = fixture.pack_whole("a", &small_frames());
    let stream = zstd::decode_all(&bytes[..]).unwrap();
    let packed = |stream: &[u8]| zstd::encode_all(stream, 1).unwrap();
    let check = |stream: &[u8], expected: &str| {
        let reason = check_corrupt(&fixture, &packed(stream), expected);
        assert!(reason.contains(expected), "{reason}");
    };
    check(
        &stream[..stream.len() - 512],
        "does not end where it should",
    );
    check(
        &stream[..stream.len() - 1024],
        "does not end where it should",
    );
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Fifo);
    header.set_size(0);
    header.set_cksum();
    check(header.as_bytes(), "unexpected entry type");
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_cksum();
    let dangling = [&header.as_bytes()[..], &[0; 1024]].concat();
    check(&dangling, "a long name without its entry");
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(u64::MAX);
    header.set_cksum();
    check(header.as_bytes(), "size overflow");
    header.set_size(5_000);
    header.set_cksum();
    let cut = [&header.as_bytes()[..], &[0; 1024]].concat();
    check(&cut, "the entry at 512 is cut off");
}

/// Whatever is in the file, the answer is a value.
#[test]
fn mutilated_streams_do_not_panic() {
    let fixture = Fixture::full();
    let (_, bytes) = fixture.pack_whole("a", &small_frames());
    let stream = zstd::decode_all(&bytes[..]).unwrap();
    for seed in 0..300 {
        let mut mutilated = stream.clone();
        for place in noise(seed, 30).chunks(3) {
            let at = usize::from(place[0]) * 256 + usize::from(place[1]);
            let at = at % mutilated.len();
            mutilated[at] = place[2];
        }
        let packed = zstd::encode_all(&mutilated[..], 1).unwrap();
        let _ = verify(&write(&fixture, &packed), &mut ());
        let _ = verify(&write(&fixture, &noise(seed, 500)), &mut ());
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_corrupt() {
    let fixture = Fixture::empty();
    for path in [fixture.source(), fixture.source().join("missing")] {
        let error = verify(&path, &mut ()).unwrap_err();
        assert!(matches!(error, Error::Io { path: named, .. } if named == path));
    }
}
