//! The program `archiver`: arguments in, calls out.

mod args;
mod calls;
mod demo;
mod failure;
mod files;
mod output;
mod progress;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use args::{Args, Command};
use failure::Failure;

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return failure::usage(&error),
    };
    match run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    log(&command);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("cannot start", &error))?;
    runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(args).await,
            Command::Demo(args) => demo::run(&args).await,
            Command::Create(args) => calls::create(args).await,
            Command::Wait { operation, server } => calls::wait(&operation, &server).await,
            Command::Get { name, server } => calls::get(&name, &server).await,
            Command::List { operations, server } if operations => {
                calls::list_operations(&server).await
            }
            Command::List { server, .. } => calls::list_archives(&server).await,
            Command::Cancel { operation, server } => calls::cancel(&operation, &server).await,
            Command::Delete { archive, server } => calls::delete(&archive, &server).await,
            Command::Verify { archive, server } => calls::verify(&archive, &server).await,
        }
    })
}

/// Logs to stderr, as `RUST_LOG` says; a server's own news without it.
fn log(command: &Command) {
    let default = match command {
        Command::Serve(_) => "info",
        _ => "error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}
