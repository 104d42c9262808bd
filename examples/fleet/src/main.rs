//! Front ends and workers in processes of their own, on one PostgreSQL.
//!
//! It shows that an rpc can be answered by one process and its body run by another: `serve` hosts no
//! worker, `work` serves no rpc and runs all methods or some of them, and there may be any number of
//! both. All they share is the database.
//!
//! ```text
//! fleet serve --database postgresql://app@localhost/app
//! fleet work --database postgresql://app@localhost/app --name worker-1
//! fleet work --database postgresql://app@localhost/app --name worker-2 --methods Render
//! fleet submit --count 10
//! ```
//!
//! `serve` prints `listening on 127.0.0.1:50051`, `work` prints `worker-1 runs Render, Resize, Watch`,
//! and `submit`, for example,
//!
//! ```text
//! started 10 operations
//! rendered 25 frames in 5 operations
//! resized 5 pictures
//! worker-1 ended 6
//! worker-2 ended 4
//! ```
//!
//! A worker that is killed loses nothing: its leases run out (`--lease`), and others resume what
//! it ran, Render with the frame that was under way. SIGTERM ends `serve` and `work` in order.

mod serve;
mod service;
mod store;
mod submit;
mod work;

use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// Front ends and workers in processes of their own, on one PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "fleet")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the rpcs, and runs nothing.
    Serve(serve::Options),
    /// Runs operations, and serves nothing.
    Work(work::Options),
    /// Starts operations, waits for them, and says what has become of them.
    Submit(submit::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .init();
    match Cli::parse().command {
        Command::Serve(options) => serve::run(options).await,
        Command::Work(options) => work::run(options).await,
        Command::Submit(options) => submit::run(options).await,
    }
}

/// Returns with SIGTERM or Ctrl-C.
async fn told_to_end() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

/// A number of milliseconds on the command line.
fn millis(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}
