//! The properties of the fuzz targets, with inputs that proptest makes and with the seeds.

mod arguments;
mod config;
mod neutral;
#[path = "../../../../dev/fuzz/replay.rs"]
mod replay;

use proptest::prelude::*;

proptest! {
    #[test]
    fn any_file_is_read_or_refused(text in "(?s)[a-z.=\\[\\]\"'#\n {}0-9]{0,80}|\\PC{0,40}") {
        config::ask(text.as_bytes());
    }

    #[test]
    fn any_arguments_are_accepted_or_refused(text in "(?s)(list|get|wait|start|-s|-o|--since|[a-z/:=.()-]{1,12}|\n){0,12}|\\PC{0,40}") {
        arguments::ask(text.as_bytes());
    }

    #[test]
    fn any_text_is_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        neutral::ask(&bytes);
    }
}

#[test]
fn the_seeds_of_the_fuzz_targets_hold() {
    assert!(replay::each("cli_config", config::ask) > 0);
    assert!(replay::each("cli_arguments", arguments::ask) > 0);
    assert!(replay::each("neutral", neutral::ask) > 0);
}
