use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use super::fixtures::{Fixture, Recorder, noise, small_frames};
use crate::archive::{Checkpoint, Error, Options, RestartReason, Skipped, Start, pack, verify};

#[test]
fn an_archive_is_the_same_wherever_it_was_interrupted() {
    let fixture = Fixture::full();
    let options = small_frames();
    let mut recorder = Recorder::default();
    let whole = fixture.destination("whole");
    let expected = pack(&fixture.scan(), &whole, &options, None, &mut recorder).unwrap();
    let bytes = fs::read(&expected.path).unwrap();
    assert!(recorder.checkpoints.len() > 20);
    assert!(recorder.checkpoints.iter().any(|it| it.entry_offset > 0));
    assert!(recorder.checkpoints.iter().any(|it| it.entry_offset == 0));

    for (i, recorded) in recorder.checkpoints.iter().enumerate() {
        let checkpoint = fixture.pack_up_to("part", &options, i);
        assert_eq!(&checkpoint, recorded);
        // Bytes that were written after the checkpoint, and torn.
        let partial = fixture.destination("part").partial_path();
        let mut file = File::options().append(true).open(partial).unwrap();
        file.write_all(&noise(i as u64, i * 37)).unwrap();

        let (start, summary, resumed) = fixture.resume("part", &options, &checkpoint);
        let archive_bytes = checkpoint.archive_bytes;
        assert_eq!(start, Start::Resumed { archive_bytes });
        assert!(resumed == bytes, "other bytes after checkpoint {i}");
        assert_eq!(summary.sha256, expected.sha256);
        assert_eq!(summary.source_bytes, expected.source_bytes);
        assert_eq!(summary.files, expected.files);
    }
}

#[test]
fn an_archive_is_the_same_if_every_run_ends_after_one_frame() {
    let fixture = Fixture::full();
    let options = small_frames();
    let (expected, bytes) = fixture.pack_whole("whole", &options);
    let destination = fixture.destination("part");
    let mut checkpoint = None;
    let summary = loop {
        let mut recorder = Recorder::breaking_at(0);
        let plan = fixture.scan();
        let result = pack(
            &plan,
            &destination,
            &options,
            checkpoint.as_ref(),
            &mut recorder,
        );
        for progress in &recorder.progress {
            assert_eq!(progress.bytes_total, plan.bytes());
            assert_eq!(progress.files_total, plan.files());
        }
        match result {
            Ok(summary) => break summary,
            Err(Error::Stopped) => checkpoint = recorder.checkpoints.pop(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(summary.sha256, expected.sha256);
    assert!(fs::read(&summary.path).unwrap() == bytes);
}

#[test]
fn an_archive_is_the_same_if_stopped_between_checkpoints() {
    let fixture = Fixture::full();
    let options = small_frames();
    let (_, bytes) = fixture.pack_whole("whole", &options);
    for at in (1..).step_by(3) {
        let mut recorder = Recorder::stopping_at(at);
        let destination = fixture.destination("part");
        match pack(&fixture.scan(), &destination, &options, None, &mut recorder) {
            Ok(_) => break,
            Err(Error::Stopped) => {}
            Err(error) => panic!("{error}"),
        }
        let last = recorder.checkpoints.pop().unwrap_or_default();
        let (_, _, resumed) = fixture.resume("part", &options, &last);
        assert!(resumed == bytes, "other bytes after progress {at}");
    }
}

/// Packs half, lets `meddle` loose on it, and expects a start from scratch with a sound result.
fn check_restart(meddle: impl Fn(&Fixture, &mut Checkpoint), reason: RestartReason) {
    let fixture = Fixture::full();
    let mut checkpoint = fixture.pack_up_to("part", &small_frames(), 10);
    meddle(&fixture, &mut checkpoint);
    let (start, summary, bytes) = fixture.resume("part", &small_frames(), &checkpoint);
    assert_eq!(start, Start::Restarted(reason));
    let (expected, whole) = fixture.pack_whole("whole", &small_frames());
    assert!(bytes == whole);
    assert_eq!(summary.sha256, expected.sha256);
    assert_eq!(summary.files, expected.files);
}

#[test]
fn a_shorter_partial_file_is_packed_from_scratch() {
    let reason = RestartReason::PartialShort;
    check_restart(
        |fixture, checkpoint| {
            let path = fixture.destination("part").partial_path();
            let file = File::options().write(true).open(path).unwrap();
            file.set_len(checkpoint.archive_bytes - 1).unwrap();
        },
        reason,
    );
    check_restart(
        |fixture, _| fs::remove_file(fixture.destination("part").partial_path()).unwrap(),
        reason,
    );
}

#[test]
fn a_partial_file_with_other_content_is_packed_from_scratch() {
    check_restart(
        |fixture, _| {
            let path = fixture.destination("part").partial_path();
            let mut bytes = fs::read(&path).unwrap();
            bytes[100] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        RestartReason::PartialDamaged,
    );
}

#[test]
fn a_source_that_changed_in_what_is_packed_is_packed_from_scratch() {
    let check = |meddle: fn(&Fixture)| {
        check_restart(|fixture, _| meddle(fixture), RestartReason::SourceChanged);
    };
    check(|fixture| fixture.write("a/small", b"longer than before"));
    check(|fixture| fixture.write("a/new", b""));
    check(|fixture| fixture.remove("a/empty"));
    check(|fixture| {
        let permissions = Permissions::from_mode(0o600);
        fs::set_permissions(fixture.source().join("a/small"), permissions).unwrap();
    });
    check(|fixture| {
        let file = File::open(fixture.source().join("a/small")).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(1);
        file.set_modified(time).unwrap();
    });
    check(|fixture| {
        fixture.remove("a/small");
        std::os::unix::fs::symlink("elsewhere", fixture.source().join("a/small")).unwrap();
    });
}

#[test]
fn a_file_that_changed_halfway_is_packed_from_scratch() {
    let fixture = Fixture::empty();
    fixture.write("large", &noise(1, 10_000));
    let checkpoint = fixture.pack_up_to("a", &small_frames(), 3);
    assert!(checkpoint.entry_offset > 0);
    fixture.write("large", &noise(2, 10_001));
    let (start, summary, _) = fixture.resume("a", &small_frames(), &checkpoint);
    assert_eq!(start, Start::Restarted(RestartReason::SourceChanged));
    assert_eq!(
        verify(&summary.path, &mut ()).unwrap().content_bytes,
        10_001
    );
}

#[test]
fn other_options_or_another_source_are_packed_from_scratch() {
    let fixture = Fixture::full();
    let checkpoint = fixture.pack_up_to("a", &small_frames(), 5);
    let (start, _, _) = fixture.resume("a", &Options::default(), &checkpoint);
    assert_eq!(start, Start::Restarted(RestartReason::SourceChanged));

    let checkpoint = fixture.pack_up_to("a", &small_frames(), 5);
    fs::rename(fixture.source(), fixture.unpacked()).unwrap();
    fs::create_dir(fixture.source()).unwrap();
    let (start, summary, _) = fixture.resume("a", &small_frames(), &checkpoint);
    assert_eq!(start, Start::Restarted(RestartReason::SourceChanged));
    assert_eq!(summary.directories, 0);
}

#[test]
fn new_files_behind_the_checkpoint_are_packed() {
    let fixture = Fixture::full();
    let checkpoint = fixture.pack_up_to("part", &small_frames(), 10);
    fixture.write("zzz/new", b"new");
    let (start, _, bytes) = fixture.resume("part", &small_frames(), &checkpoint);
    assert!(matches!(start, Start::Resumed { .. }));
    let (_, whole) = fixture.pack_whole("whole", &small_frames());
    assert!(bytes == whole);
}

/// A checkpoint from a store is data from outside.
#[test]
fn a_corrupt_checkpoint_never_gives_a_wrong_archive() {
    type Damage = fn(&mut Checkpoint, u64);
    let damages: [Damage; 14] = [
        |it, n| it.entries_done = n,
        |it, n| it.entry_offset = n,
        |it, n| it.directories_done = n,
        |it, n| it.files_done = n,
        |it, n| it.symlinks_done = n,
        |it, n| it.bytes_done = n,
        |it, n| it.tar_bytes = n,
        |it, n| it.archive_bytes = n,
        |it, n| it.skipped_count = n,
        |it, n| it.archive_sha256 = n.to_le_bytes().to_vec(),
        |it, n| it.entries_sha256 = n.to_le_bytes().to_vec(),
        |it, _| it.archive_sha256.clear(),
        |it, _| it.entries_sha256.clear(),
        |it, n| it.skipped = vec![Skipped::default(); (n % 1_000) as usize],
    ];
    let fixture = Fixture::full();
    let (_, whole) = fixture.pack_whole("whole", &small_frames());
    for damage in damages {
        for number in [1, 999, u64::MAX] {
            let mut checkpoint = fixture.pack_up_to("part", &small_frames(), 10);
            damage(&mut checkpoint, number);
            let (_, _, bytes) = fixture.resume("part", &small_frames(), &checkpoint);
            assert!(bytes == whole);
        }
    }
}
