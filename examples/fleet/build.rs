//! Generates the Rust code of the API.

fn main() -> Result<(), lro_build::Error> {
    lro_build::compile_protos(&["proto/examples/fleet/v1/fleet.proto"], &["proto"])
}
