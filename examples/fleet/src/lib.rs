//! The API of the program `fleet`, which `main.rs` describes: what `lro_build` makes of its proto.

/// The API, `examples.fleet.v1`: messages, server trait, client.
pub mod pb {
    tonic::include_proto!("examples.fleet.v1");
}
