//! guarantee:R5: all states of a small world.

use simulation::exhaustive::{Bounds, search};

#[test]
fn no_state_breaks_the_lease_protocol() {
    for bounds in [
        Bounds {
            workers: 3,
            operations: 1,
            claims: 2,
            generations: 2,
            flying: 1,
            uid_ignored: false,
        },
        Bounds {
            workers: 3,
            operations: 2,
            claims: 1,
            generations: 1,
            flying: 1,
            uid_ignored: false,
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
        uid_ignored: true,
    };
    let wrong = search(bounds).unwrap_err();
    assert!(wrong.contains("the response of another run"), "{wrong}");
}
