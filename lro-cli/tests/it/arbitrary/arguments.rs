// Arbitrary arguments, one a line: accepted or refused, and nothing is sent.

use std::sync::Arc;

use lro_cli::environment::{Environment, Stream};

pub(crate) fn ask(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let environment = || Environment {
        variables: [("LRO_CONFIG".to_owned(), "/nonexistent".to_owned())].into(),
        clock: Arc::new(lro_core::SystemClock),
        stdin: Box::new(std::io::empty()),
        stdin_is_terminal: false,
        stdout: Stream::plain(std::io::sink()),
        stderr: Stream::plain(std::io::sink()),
    };
    let arguments = || std::iter::once("lro").chain(text.lines());
    let accepts = lro_cli::accepts(arguments(), &environment());
    assert_eq!(accepts, lro_cli::accepts(arguments(), &environment()));
}
