//! Runs a file of gateway cases against the gateway, over real sockets.
//!
//! `cargo xtask gateway-cases FILE` prints a line for each case that fails, its id first, and the count of
//! those that pass. It exits with 0 if all pass.
#![allow(clippy::unwrap_used, reason = "a tool of the tests")]

#[path = "../tests/gateway/backend.rs"]
mod backend;
#[path = "../tests/gateway/cases.rs"]
mod cases;
#[path = "../tests/gateway/expectations.rs"]
mod expectations;
#[path = "../tests/gateway/format.rs"]
mod format;
#[path = "../tests/gateway/protos.rs"]
mod protos;
#[path = "../tests/gateway/server.rs"]
mod server;
#[path = "../tests/gateway/wire.rs"]
mod wire;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("usage: gateway_cases FILE");
        return ExitCode::from(2);
    };
    let table = match std::fs::read_to_string(&file) {
        Ok(table) => table,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::from(2);
        }
    };
    match cases::run(&table).await {
        Ok(report) => {
            for failure in &report.failures {
                println!("{failure}");
            }
            println!("{} passed, {} failed", report.passed, report.failures.len());
            ExitCode::from(u8::from(!report.failures.is_empty()))
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::from(2)
        }
    }
}
