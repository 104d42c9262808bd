//! The processes that the checks kill, pause and cut off. They end when their standard input does.

use clap::Parser;
use torture::{node, server};

#[derive(Debug, Parser)]
enum Process {
    /// A server on SQLite.
    Serve(server::Options),
    /// A front end or a worker on PostgreSQL.
    Node(node::Options),
}

fn main() -> anyhow::Result<()> {
    match Process::parse() {
        Process::Serve(options) => server::run(options),
        Process::Node(options) => node::run(options),
    }
}
