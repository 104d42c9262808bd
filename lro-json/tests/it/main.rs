//! ProtoJSON read and written, over a message with a field of every kind.

mod arbitrary;
mod python;
mod random;
mod read;
mod types;
mod write;
