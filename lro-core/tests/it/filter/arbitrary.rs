//! The property of the fuzz target `filter`, with texts that proptest makes.

use proptest::prelude::*;

use super::{properties, text};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_text_is_answered_and_all_answers_agree(input in properties::text()) {
        text::ask(&input);
    }

    #[test]
    fn every_filter_is_answered_and_all_answers_agree(input in properties::valid()) {
        text::ask(&input);
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_hold() {
    let asked = crate::replay::each("filter", |bytes| {
        text::ask(&String::from_utf8_lossy(bytes));
    });
    assert!(asked > 0);
}

#[test]
fn every_case_of_the_table_is_answered() {
    for case in super::cases::table()["cases"].as_array().unwrap() {
        text::ask(&super::cases::text(case));
    }
}
