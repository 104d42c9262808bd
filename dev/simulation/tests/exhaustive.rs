//! guarantee:R5: all states of a small world.

use simulation::exhaustive::{Bounds, Mistake, search};

#[test]
fn no_state_breaks_the_lease_protocol() {
    for bounds in [
        Bounds {
            workers: 3,
            operations: 1,
            claims: 2,
            generations: 2,
            flying: 1,
            steps: false,
            mistake: None,
        },
        Bounds {
            workers: 3,
            operations: 2,
            claims: 1,
            generations: 1,
            flying: 1,
            steps: false,
            mistake: None,
        },
    ] {
        let seen = search(bounds).unwrap_or_else(|wrong| panic!("{wrong}"));
        println!("{bounds:?}: {seen:?}, 0 violations");
        assert!(seen.states > 1_000 && seen.moves > seen.states);
    }
}

#[test]
fn a_store_that_takes_a_name_for_an_identity_is_found_out() {
    let bounds = Bounds {
        workers: 2,
        operations: 1,
        claims: 1,
        generations: 2,
        flying: 1,
        steps: false,
        mistake: Some(Mistake::UidIgnored),
    };
    let wrong = search(bounds).unwrap_err();
    assert!(wrong.contains("the response of another run"), "{wrong}");
}

/// Bodies that record steps and wait, and callers that complete what they wait for.
const WITH_STEPS: Bounds = Bounds {
    workers: 2,
    operations: 1,
    claims: 2,
    generations: 1,
    flying: 1,
    steps: true,
    mistake: None,
};

/// steps:S8 steps:S9 steps:W6 steps:E8
#[test]
fn no_state_loses_a_step_or_a_wake_up() {
    let seen = search(WITH_STEPS).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{WITH_STEPS:?}: {seen:?}, 0 violations");
    assert!(seen.states > 1_000 && seen.moves > seen.states);
}

/// steps:W6 steps:E8
#[test]
fn mistakes_with_steps_are_found_out() {
    for (mistake, words) in [
        (Mistake::SuspendDoesNotLook, "waits for what has ended"),
        (Mistake::WakeLost, "waits for nothing, and for ever"),
        (Mistake::StepOverwritten, "has changed a finished step"),
        (Mistake::EpochIgnored, "shows a step of the epoch before"),
        (Mistake::EarlyPromiseLost, "has lost a step"),
        (Mistake::StepForgottenInARun, "has lost a step"),
    ] {
        let bounds = Bounds {
            mistake: Some(mistake),
            ..WITH_STEPS
        };
        let wrong = search(bounds).unwrap_err();
        assert!(wrong.contains(words), "{mistake:?}: {wrong}");
    }
}
