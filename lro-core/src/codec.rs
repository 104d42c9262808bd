//! The message codec that generated services name, so that a user's crate needs no dependency on
//! `tonic-prost` of its own.

pub use tonic_prost::ProstCodec;
