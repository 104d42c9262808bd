//! The store and its state machine alone.

use std::time::{Duration, Instant};

use simulation::machine::walk;

const WALKS: u64 = 2_000;
const STEPS: u64 = 5_000;
const TIME: Duration = Duration::from_secs(45);

#[test]
fn the_store_answers_as_the_model_says() {
    let begun = Instant::now();
    let (mut steps, mut ended) = (0, 0);
    for seed in 1..=WALKS {
        ended += walk(seed, STEPS).unwrap();
        steps += STEPS;
        if begun.elapsed() > TIME {
            break;
        }
    }
    println!("{steps} steps passed, {ended} operations ended");
    assert!(steps >= 50_000 && ended > 0);
}
