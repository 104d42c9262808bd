//! Packs directory trees.

pub mod archive;

/// The API
pub mod pb {
    tonic::include_proto!("examples.archiver.v1");
}
