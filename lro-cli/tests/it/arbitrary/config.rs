// A configuration file of arbitrary text: read, or refused with a place.

use lro_cli::config::File;

pub(crate) fn ask(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match File::parse(text) {
        Ok(file) => assert!(file.profiles.len() <= text.len()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
