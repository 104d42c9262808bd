use std::cell::Cell;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::fixtures::{Fixture, Recorder, noise, small_frames, tree, unpack};
use crate::archive::{Error, Options, Plan, Start, Summary, pack, verify};

fn skipped_paths(summary: &Summary) -> Vec<String> {
    let path = |path: &Vec<u8>| String::from_utf8_lossy(path).into_owned();
    summary.skipped.iter().map(|it| path(&it.path)).collect()
}

#[test]
fn vanished_files_are_skipped() {
    let fixture = Fixture::full();
    let plan = fixture.scan();
    fixture.remove("a/small");
    fixture.remove("link");
    fs::remove_dir_all(fixture.source().join("empty")).unwrap();
    let mut recorder = Recorder::default();
    let destination = fixture.destination("a");
    let summary = pack(
        &plan,
        &destination,
        &Options::default(),
        None,
        &mut recorder,
    )
    .unwrap();
    assert_eq!(
        skipped_paths(&summary),
        ["a/small", "empty", "empty/inner", "link"]
    );
    assert_eq!(summary.skipped_count, 4);
    let last = recorder.progress.last().unwrap();
    assert_eq!(
        (last.files_done, last.bytes_done),
        (last.files_total, last.bytes_total)
    );
    assert_eq!((last.files_done, last.skipped_count), (plan.files() - 1, 4));
    let verification = verify(&summary.path, &mut ()).unwrap();
    assert_eq!(verification.files, summary.files);
    assert_eq!(verification.directories, summary.directories);
    unpack(&fs::read(&summary.path).unwrap(), &fixture.unpacked());
    let (unpacked, source) = (tree(&fixture.unpacked()), tree(&fixture.source()));
    assert_eq!(unpacked.len(), source.len());
}

#[test]
fn vanished_files_are_still_reported_after_a_resume() {
    let fixture = Fixture::full();
    let plan = fixture.scan();
    fixture.remove("a/small");
    fixture.remove("zeros");
    let mut recorder = Recorder::breaking_at(10);
    let destination = fixture.destination("a");
    let result = pack(&plan, &destination, &small_frames(), None, &mut recorder);
    assert!(matches!(result, Err(Error::Stopped)));
    let checkpoint = recorder.checkpoints.pop().unwrap();
    assert_eq!(checkpoint.skipped_count, 1);
    let (start, summary, bytes) = fixture.resume("a", &small_frames(), &checkpoint);
    assert!(matches!(start, Start::Resumed { .. }), "{start:?}");
    // The scan before the second run did not see "zeros".
    assert_eq!(skipped_paths(&summary), ["a/small"]);
    let (_, whole) = fixture.pack_whole("whole", &small_frames());
    assert_eq!(bytes.len(), whole.len());
}

#[test]
fn unreadable_files_are_skipped_and_reported_after_a_resume() {
    let fixture = Fixture::full();
    for path in ["a/small", "empty"] {
        let permissions = Permissions::from_mode(0o000);
        fs::set_permissions(fixture.source().join(path), permissions).unwrap();
    }
    // The superuser reads everything.
    let is_superuser = File::open(fixture.source().join("a/small")).is_ok();
    let expected: &[&str] = if is_superuser {
        &[]
    } else {
        &["empty", "a/small"]
    };
    let (summary, bytes) = fixture.pack_whole("whole", &small_frames());
    assert_eq!(skipped_paths(&summary), expected);
    let checkpoint = fixture.pack_up_to("a", &small_frames(), 10);
    let (start, resumed, again) = fixture.resume("a", &small_frames(), &checkpoint);
    assert!(matches!(start, Start::Resumed { .. }));
    assert_eq!(resumed.skipped, summary.skipped);
    assert!(again == bytes);
    let permissions = Permissions::from_mode(0o700);
    fs::set_permissions(fixture.source().join("empty"), permissions).unwrap();
}

#[test]
fn more_is_skipped_than_is_listed() {
    let fixture = Fixture::empty();
    (0..130).for_each(|i| fixture.write(format!("{i:03}"), b"x"));
    let plan = fixture.scan();
    (0..120).for_each(|i| fixture.remove(&format!("{i:03}")));
    let destination = fixture.destination("a");
    let summary = pack(&plan, &destination, &Options::default(), None, &mut ()).unwrap();
    assert_eq!((summary.skipped_count, summary.skipped.len()), (120, 100));
    assert_eq!((summary.files, summary.source_bytes), (10, 10));
}

#[test]
fn entries_that_changed_their_kind_are_skipped_with_their_contents() {
    let fixture = Fixture::empty();
    fixture.write("directory/inside", b"x");
    fixture.write("directory-not", b"x");
    fixture.write("file", b"x");
    fixture.write("outside/inside", b"not to be packed as directory/inside");
    let plan = fixture.scan();
    fs::remove_dir_all(fixture.source().join("directory")).unwrap();
    symlink("outside", fixture.source().join("directory")).unwrap();
    fixture.remove("file");
    fs::create_dir(fixture.source().join("file")).unwrap();
    let destination = fixture.destination("a");
    let summary = pack(&plan, &destination, &Options::default(), None, &mut ()).unwrap();
    assert_eq!(
        skipped_paths(&summary),
        ["directory", "directory/inside", "file"]
    );
    assert_eq!(summary.files, 2);
}

#[test]
fn a_file_that_shrinks_while_it_is_read_ends_the_run() {
    let fixture = Fixture::empty();
    fixture.write("before", b"x");
    fixture.write("shrinks", &noise(1, 300_000));
    let plan = fixture.scan();
    let path = plan.root().join("shrinks");
    let mut recorder = Recorder {
        on_progress: Some(Box::new(|progress| {
            if progress.bytes_done > 100_000 {
                let file = File::options().write(true).open(&path).unwrap();
                file.set_len(200_000).unwrap();
            }
        })),
        ..Recorder::default()
    };
    let destination = fixture.destination("a");
    let error = pack(
        &plan,
        &destination,
        &Options::default(),
        None,
        &mut recorder,
    )
    .unwrap_err();
    assert!(matches!(&error, Error::SourceChanged { path: named } if *named == path));
    assert!(error.to_string().contains("shrinks"));
    assert!(destination.partial_path().exists());
    assert!(!destination.archive_path().exists());
}

#[test]
fn a_file_that_grows_while_it_is_read_is_packed_as_it_was() {
    let fixture = Fixture::empty();
    fixture.write("grows", &noise(1, 300_000));
    let plan = fixture.scan();
    let path = plan.root().join("grows");
    let grown = Cell::new(false);
    let mut recorder = Recorder {
        on_progress: Some(Box::new(|progress| {
            if progress.bytes_done > 0 && !grown.replace(true) {
                let mut file = File::options().append(true).open(&path).unwrap();
                file.write_all(&noise(2, 300_000)).unwrap();
            }
        })),
        ..Recorder::default()
    };
    let destination = fixture.destination("a");
    let summary = pack(
        &plan,
        &destination,
        &Options::default(),
        None,
        &mut recorder,
    )
    .unwrap();
    assert_eq!(summary.source_bytes, 300_000);
    unpack(&fs::read(&summary.path).unwrap(), &fixture.unpacked());
    let unpacked = fs::read(fixture.unpacked().join("grows")).unwrap();
    assert!(unpacked == noise(1, 300_000));
}

#[test]
fn a_file_that_changed_between_scan_and_packing_is_packed_as_it_is() {
    let fixture = Fixture::empty();
    fixture.write("changes", &noise(1, 10_000));
    fixture.write("shrinks", &noise(1, 10_000));
    let plan = Plan::scan(&fixture.source(), &mut ()).unwrap();
    fixture.write("changes", &noise(3, 20_000));
    fixture.write("shrinks", b"");
    let mut recorder = Recorder::default();
    let destination = fixture.destination("a");
    let options = small_frames();
    let summary = pack(&plan, &destination, &options, None, &mut recorder).unwrap();
    let last = recorder.progress.last().unwrap();
    assert_eq!((last.bytes_done, last.bytes_total), (20_000, 20_000));
    let (expected, _) = fixture.pack_whole("b", &options);
    assert_eq!(summary.sha256, expected.sha256);
}
