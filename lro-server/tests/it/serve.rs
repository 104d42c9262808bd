//! The module `serve`, over TCP.

mod content_types;
mod deadlines;
mod errors;
pub(crate) mod http;
mod limits;
mod long_pages;
pub(crate) mod raw;
pub(crate) mod served;
mod shutdown;
mod silent_connections;
pub(crate) mod spans;
#[cfg(feature = "tls")]
mod tls;
