use super::fixtures::{Fixture, Recorder, small_frames};
use crate::archive::{Error, Options, PartialGuard, Plan, discard_partial, pack, verify};

#[test]
fn a_stop_is_honoured_everywhere() {
    let fixture = Fixture::full();
    let (summary, _) = fixture.pack_whole("whole", &Options::default());
    let plan = fixture.scan();
    let destination = fixture.destination("a");
    let options = small_frames();
    for at in 0..3 {
        let scan = Plan::scan(&fixture.source(), &mut Recorder::stopping_at(at));
        assert!(matches!(scan, Err(Error::Stopped)));
        let packed = pack(
            &plan,
            &destination,
            &options,
            None,
            &mut Recorder::stopping_at(at),
        );
        assert!(matches!(packed, Err(Error::Stopped)));
        assert!(!destination.archive_path().exists());
    }
    let verified = verify(&summary.path, &mut Recorder::stopping_at(0));
    assert!(matches!(verified, Err(Error::Stopped)));
    let verified = verify(&summary.path, &mut Recorder::stopping_at(1));
    assert!(matches!(verified, Err(Error::Stopped)));
}

#[test]
fn a_stop_is_asked_inside_a_large_file() {
    let fixture = Fixture::empty();
    fixture.write("large", &[1; 3_000_000]);
    let destination = fixture.destination("a");
    let mut recorder = Recorder::stopping_at(5);
    let result = pack(
        &fixture.scan(),
        &destination,
        &Options::default(),
        None,
        &mut recorder,
    );
    assert!(matches!(result, Err(Error::Stopped)));
    assert!(recorder.progress.last().unwrap().bytes_done < 1_000_000);
}

#[test]
fn a_stop_while_the_partial_file_is_read_again_leaves_it_whole() {
    let fixture = Fixture::full();
    let options = small_frames();
    let (_, whole) = fixture.pack_whole("whole", &options);
    let checkpoint = fixture.pack_up_to("a", &options, 10);
    let destination = fixture.destination("a");
    let mut recorder = Recorder::stopping_at(0);
    let plan = fixture.scan();
    let result = pack(
        &plan,
        &destination,
        &options,
        Some(&checkpoint),
        &mut recorder,
    );
    assert!(matches!(result, Err(Error::Stopped)));
    let (_, _, bytes) = fixture.resume("a", &options, &checkpoint);
    assert!(bytes == whole);
}

#[test]
fn a_cancelled_run_leaves_nothing_and_a_drained_run_leaves_its_files() {
    let fixture = Fixture::full();
    let destination = fixture.destination("a");
    for is_draining in [true, false] {
        let guard = PartialGuard::new(&destination);
        let mut recorder = Recorder::breaking_at(3);
        let result = pack(
            &fixture.scan(),
            &destination,
            &small_frames(),
            None,
            &mut recorder,
        );
        assert!(matches!(result, Err(Error::Stopped)));
        if is_draining {
            guard.keep();
        } else {
            drop(guard);
        }
        assert_eq!(destination.partial_path().exists(), is_draining);
    }
    assert!(!discard_partial(&destination).unwrap());
}

#[test]
fn a_second_run_of_the_same_archive_is_refused() {
    let fixture = Fixture::full();
    let destination = fixture.destination("a");
    let plan = fixture.scan();
    let mut refused = 0;
    let mut recorder = Recorder {
        on_checkpoint: Some(Box::new(|checkpoint| {
            let second = pack(
                &plan,
                &destination,
                &small_frames(),
                Some(checkpoint),
                &mut (),
            );
            assert!(matches!(second, Err(Error::Busy { .. })));
            refused += 1;
        })),
        ..Recorder::default()
    };
    pack(&plan, &destination, &small_frames(), None, &mut recorder).unwrap();
    drop(recorder);
    assert!(refused > 10);
}
