//! Whatever is written into an operation's row, its readers do not panic, and the other rows are read.
//!
//! The fuzz target in dev/fuzz/fuzz_targets/stored_row.rs does the same with bytes of its own choice.

use proptest::prelude::*;

use crate::damage;

#[path = "../../../dev/fuzz/replay.rs"]
mod replay;

fn cell() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![0..9_i64, any::<i64>(), Just(i64::MAX)];
    let value = prop_oneof![
        Just(vec![0]),
        number.prop_map(|number| [&[1], &number.to_le_bytes()[..]].concat()),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| [
            &[2, bytes.len() as u8],
            &bytes[..]
        ]
        .concat()),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| [
            &[3, bytes.len() as u8],
            &bytes[..]
        ]
        .concat()),
    ];
    (0..32_u8, value).prop_map(|(column, value)| [&[column], &value[..]].concat())
}

proptest! {
    // Each writes to a file and reads it back.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_damage_to_a_row_is_noticed_or_harmless(
        row in 0..3_u8,
        cells in prop::collection::vec(cell(), 1..4),
    ) {
        damage::ask(&[&[row], &*cells.concat()].concat());
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_hold() {
    assert!(replay::each("stored_row", damage::ask) > 0);
}
