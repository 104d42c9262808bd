//! Generates the Rust code of `proto/torture.proto`.

fn main() -> Result<(), lro_build::Error> {
    lro_build::compile_protos(&["proto/torture.proto"], &["proto"])
}
