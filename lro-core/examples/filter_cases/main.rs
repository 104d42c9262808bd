//! Runs a table of filter cases: `cargo xtask filter-cases FILE`.
//!
//! The file has the format of `lro-core/tests/data/filter_cases.json`: a schema, operations, filters,
//! and what each filter must give. Every failing case is printed on a line of its own, its id
//! first, with what came instead; then how many passed. It exits with 0 only if all pass. A field
//! that the format does not have is an error.

mod ast;
mod operations;
mod table;
mod types;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: cargo xtask filter-cases FILE");
        return ExitCode::FAILURE;
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("error: cannot read {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    match table::run(&text) {
        Err(error) => {
            eprintln!("error: {}: {error}", path.display());
            ExitCode::FAILURE
        }
        Ok(report) => {
            for line in &report.failures {
                println!("{line}");
            }
            println!("{} of {} cases pass", report.passed, report.total());
            if report.failures.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
