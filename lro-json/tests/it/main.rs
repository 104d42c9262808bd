//! ProtoJSON read and written, over a message with a field of every kind.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod arbitrary;
mod json;
mod parts;
mod python;
mod random;
mod read;
mod types;
mod well_known;
mod write;
