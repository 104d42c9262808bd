//! Generates the Rust code of `proto/nightly.proto`.

fn main() -> Result<(), lro_build::Error> {
    lro_build::compile_protos(&["proto/nightly.proto"], &["proto"])
}
