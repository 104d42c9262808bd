//! Packs directory trees into `.tar.zst` archives, as long-running operations.
//!
//! [`Archiver`] is the service: what it does is in `proto/examples/archiver/v1/archiver.proto`, its
//! Rust types in [`pb`]. [`Server`] serves it with an embedded database, [`cli`] is the program
//! `archiver` with the server's and the caller's subcommands.
//!
//! [`archive`] is the packing engine: blocking code over `std::fs` that knows nothing of rpc or
//! operations. It reports [checkpoints](archive::Checkpoint), and resumes from one after a crash.

pub mod archive;
mod catalog;
pub mod cli;
mod reason;
mod serve;
mod service;

pub use serve::{Error, Server, ServerOptions};
pub use service::Archiver;

mod protos {
    lro_server::include_protos!();
}

/// The API, `examples.archiver.v1`: messages, server trait, client.
pub use protos::examples::archiver::v1 as pb;
