//! The module `serve`, over TCP.

mod content_types;
mod deadlines;
mod limits;
mod raw;
mod served;
mod shutdown;
mod spans;
#[cfg(feature = "tls")]
mod tls;
