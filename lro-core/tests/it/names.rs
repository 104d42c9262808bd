//! Whatever text comes for a name, nothing panics, and the kinds of names agree.
//!
//! The fuzz target in dev/fuzz/fuzz_targets/name.rs does the same with texts of its own choice.

mod text;

use proptest::prelude::*;

proptest! {
    #[test]
    fn any_text_is_a_name_or_none(text in "\\PC{0,60}") {
        text::ask(&text);
    }

    #[test]
    fn any_path_is_a_name_or_none(
        segments in prop::collection::vec("[ab.*-]{0,2}|operations", 0..7),
        line in 0..9_usize,
    ) {
        let mut text = segments.join("/");
        if let Some((at, _)) = text.match_indices('/').nth(line) {
            text.replace_range(at..=at, "\n");
        }
        text::ask(&text);
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_hold() {
    let asked = crate::replay::each("name", |bytes| text::ask(&String::from_utf8_lossy(bytes)));
    assert!(asked > 0);
}
