//! The API of the program `fleet`, which `main.rs` describes: what `lro_build` makes of its proto.

mod protos {
    lro_server::include_protos!();
}

/// The API, `examples.fleet.v1`: messages, server trait, client.
pub use protos::examples::fleet::v1 as pb;
