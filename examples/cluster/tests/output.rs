//! The program prints what its header says.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::process::Command;

#[test]
fn the_program_prints_what_its_header_says() {
    let output = Command::new(env!("CARGO_BIN_EXE_cluster"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let header = include_str!("../src/main.rs").lines();
    let block = header.skip_while(|line| *line != "//! ```text").skip(1);
    let expected = block.take_while(|line| *line != "//! ```");
    let expected: Vec<_> = expected
        .map(|line| line.trim_start_matches("//! "))
        .collect();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}
