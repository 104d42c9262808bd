use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::fixtures::{Fixture, Recorder, small_frames, tree, unpack};
use crate::archive::{Destination, Error, Options, Plan, Start, pack, verify};

#[test]
fn the_systems_tar_unpacks_the_same_tree() {
    for options in [Options::default(), small_frames()] {
        let fixture = Fixture::full();
        let (summary, bytes) = fixture.pack_whole("a", &options);
        unpack(&bytes, &fixture.unpacked());
        let source = tree(&fixture.source());
        assert_eq!(tree(&fixture.unpacked()), source);
        let counted = summary.files + summary.directories + summary.symlinks;
        assert_eq!(counted, source.len() as u64);
    }
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let fixture = Fixture::full();
    let (first, bytes) = fixture.pack_whole("a", &small_frames());
    let (second, again) = fixture.pack_whole("b", &small_frames());
    assert_eq!(bytes, again);
    assert_eq!(first.sha256, second.sha256);
    assert_eq!(first.sha256[..], Sha256::digest(&bytes)[..]);
    assert_eq!(first.archive_bytes, bytes.len() as u64);
}

#[test]
fn an_older_archive_is_replaced() {
    let fixture = Fixture::full();
    fixture.pack_whole("a", &Options::default());
    fixture.write("more", b"more");
    let (summary, bytes) = fixture.pack_whole("a", &Options::default());
    assert_eq!(summary.sha256[..], Sha256::digest(&bytes)[..]);
}

#[test]
fn an_empty_source_gives_an_empty_archive() {
    let fixture = Fixture::empty();
    let (summary, bytes) = fixture.pack_whole("a", &Options::default());
    unpack(&bytes, &fixture.unpacked());
    assert!(tree(&fixture.unpacked()).is_empty());
    let verification = verify(&summary.path, &mut ()).unwrap();
    assert_eq!(verification.files + verification.directories, 0);
}

#[test]
fn times_before_1970_become_1970() {
    let fixture = Fixture::empty();
    fixture.write("old", b"old");
    let file = File::open(fixture.source().join("old")).unwrap();
    let time = SystemTime::UNIX_EPOCH - Duration::from_secs(1_000);
    file.set_modified(time).unwrap();
    let (_, bytes) = fixture.pack_whole("a", &Options::default());
    unpack(&bytes, &fixture.unpacked());
    let metadata = fs::metadata(fixture.unpacked().join("old")).unwrap();
    assert_eq!(metadata.modified().unwrap(), SystemTime::UNIX_EPOCH);
}

#[test]
fn frames_end_where_the_options_say() {
    // (frame_bytes, frame_entries, checkpoints) for a file of 10,000 bytes and 8 empty ones: a
    // stream of 512 + 10,240 + 8 * 512 bytes before the trailer.
    for (frame_bytes, frame_entries, checkpoints) in [
        (u64::MAX, u32::MAX, 0),
        (u64::MAX, 9, 1),
        (u64::MAX, 3, 3),
        (u64::MAX, 0, 9),
        (4_096, u32::MAX, 3),
        (0, u32::MAX, 20 + 8),
    ] {
        let fixture = Fixture::empty();
        fixture.write("0", &[7; 10_000]);
        (1..=8).for_each(|i| fixture.write(i.to_string(), b""));
        let options = Options {
            frame_bytes,
            frame_entries,
            level: 1,
        };
        let mut recorder = Recorder::default();
        let destination = fixture.destination("a");
        pack(&fixture.scan(), &destination, &options, None, &mut recorder).unwrap();
        assert_eq!(recorder.checkpoints.len(), checkpoints, "{options:?}");
        assert_eq!(recorder.start, Some(Start::Fresh));
    }
}

#[test]
fn progress_grows_to_its_total() {
    let fixture = Fixture::full();
    let mut recorder = Recorder::default();
    let plan = Plan::scan(&fixture.source(), &mut recorder).unwrap();
    let scanned = recorder.progress.last().unwrap();
    assert_eq!(scanned.files_total, plan.files());
    assert_eq!(scanned.bytes_total, plan.bytes());

    let mut recorder = Recorder::default();
    let destination = fixture.destination("a");
    pack(&plan, &destination, &small_frames(), None, &mut recorder).unwrap();
    for pair in recorder.progress.windows(2) {
        assert!(pair[0].bytes_done <= pair[1].bytes_done);
        assert!(pair[0].files_done <= pair[1].files_done);
    }
    for progress in &recorder.progress {
        assert_eq!(progress.files_total, plan.files());
        assert_eq!(progress.bytes_total, plan.bytes());
    }
    let last = recorder.progress.last().unwrap();
    assert_eq!(last.files_done, last.files_total);
    assert_eq!(last.bytes_done, last.bytes_total);
}

#[test]
fn a_destination_inside_the_source_is_refused() {
    let fixture = Fixture::full();
    let link = fixture.unpacked().join("link");
    std::os::unix::fs::symlink(fixture.source().join("empty"), &link).unwrap();
    let plan = fixture.scan();
    for directory in [fixture.source(), fixture.source().join("a"), link] {
        let destination = Destination::new(directory, "a").unwrap();
        let result = pack(&plan, &destination, &Options::default(), None, &mut ());
        let error = result.unwrap_err();
        assert!(matches!(error, Error::DestinationInsideSource { .. }));
        assert!(!destination.partial_path().exists());
    }
}

#[test]
fn a_missing_destination_directory_is_named() {
    let fixture = Fixture::full();
    let missing = fixture.unpacked().join("missing");
    let destination = Destination::new(&missing, "a").unwrap();
    let result = pack(
        &fixture.scan(),
        &destination,
        &Options::default(),
        None,
        &mut (),
    );
    assert!(matches!(result, Err(Error::Io { path, .. }) if path == missing));
}
