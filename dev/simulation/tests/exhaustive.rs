//! guarantee:R5: all states of a small world.

use simulation::exhaustive::{Bounds, Children, Mistake, search};

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
            sagas: false,
            children: None,
            mistake: None,
        },
        Bounds {
            workers: 3,
            operations: 2,
            claims: 1,
            generations: 1,
            flying: 1,
            steps: false,
            sagas: false,
            children: None,
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
        sagas: false,
        children: None,
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
    sagas: false,
    children: None,
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

/// Bodies that open sagas, and undo them.
const WITH_SAGAS: Bounds = Bounds {
    workers: 2,
    operations: 1,
    claims: 3,
    generations: 1,
    flying: 1,
    steps: false,
    sagas: true,
    children: None,
    mistake: None,
};

/// steps:E3 steps:E4 steps:E5
#[test]
fn no_state_forgets_what_an_operation_owes() {
    let seen = search(WITH_SAGAS).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{WITH_SAGAS:?}: {seen:?}, 0 violations");
    assert!(seen.states > 1_000 && seen.moves > seen.states);
}

/// steps:E3 steps:E4
#[test]
fn mistakes_with_sagas_are_found_out() {
    for (mistake, words) in [
        (Mistake::CancelEndsWhatOwes, "has ended what owes something"),
        (
            Mistake::CancellationForgotten,
            "has forgotten a cancellation",
        ),
        (Mistake::VerdictForgotten, "has forgotten the verdict"),
        (
            Mistake::UnwindingSucceeds,
            "has made a success of a verdict",
        ),
        (
            Mistake::DebtNotCounted,
            "what it owes does not fit the steps",
        ),
    ] {
        let bounds = Bounds {
            mistake: Some(mistake),
            ..WITH_SAGAS
        };
        let wrong = search(bounds).unwrap_err();
        assert!(wrong.contains(words), "{mistake:?}: {wrong}");
    }
}

/// A body that starts a child, and waits for it.
const WITH_CHILDREN: Bounds = Bounds {
    workers: 2,
    operations: 2,
    claims: 2,
    generations: 1,
    flying: 1,
    steps: false,
    sagas: false,
    children: Some(Children {
        claims: 1,
        forgets: false,
        late: false,
    }),
    mistake: None,
};

/// The same, with operators that forget the step, and parents that learn of an end later.
const WITH_LATE_ENDS: Bounds = Bounds {
    workers: 1,
    generations: 2,
    flying: 0,
    children: Some(Children {
        claims: 1,
        forgets: true,
        late: true,
    }),
    ..WITH_CHILDREN
};

/// steps:C5 steps:C6 steps:C7 steps:C11 steps:W6
#[test]
fn no_state_has_a_child_without_its_step_or_a_step_without_its_child() {
    let seen = search(WITH_CHILDREN).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{WITH_CHILDREN:?}: {seen:?}, 0 violations");
    assert!(seen.states > 1_000 && seen.moves > seen.states);
}

/// steps:C5 steps:W6
#[test]
fn no_state_loses_the_end_of_a_child_that_comes_late() {
    let seen = search(WITH_LATE_ENDS).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{WITH_LATE_ENDS:?}: {seen:?}, 0 violations");
    assert!(seen.states > 1_000 && seen.moves > seen.states);
}

/// steps:C5 steps:C6 steps:C7 steps:C11 steps:W6
#[test]
fn mistakes_with_children_are_found_out() {
    for (mistake, words) in [
        (Mistake::EndLostInARun, "waits for a child that has ended"),
        (Mistake::ChildWithoutParent, "has no step that waits for it"),
        (
            Mistake::StaleRunStartsChild,
            "of a stale holder was not refused",
        ),
        (
            Mistake::CancelledRunStartsChild,
            "a child of a run that only undoes",
        ),
        (Mistake::CancelEndsWhatOwes, "has ended what owes something"),
        (
            Mistake::CancellationOfChildLost,
            "has no step that waits for it",
        ),
        (
            Mistake::EndOfAnotherChild,
            "has ended the step of another child",
        ),
    ] {
        let bounds = match mistake {
            Mistake::EndOfAnotherChild => WITH_LATE_ENDS,
            _ => WITH_CHILDREN,
        };
        let bounds = Bounds {
            mistake: Some(mistake),
            ..bounds
        };
        let wrong = search(bounds).unwrap_err();
        assert!(wrong.contains(words), "{mistake:?}: {wrong}");
    }
}
