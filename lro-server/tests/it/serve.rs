//! The module `serve`, over TCP.

mod deadlines;
mod limits;
mod raw;
mod served;
mod shutdown;
mod spans;
#[cfg(feature = "tls")]
mod tls;
