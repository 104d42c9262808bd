//! Generates the Rust code of `proto/exporter.proto`.

fn main() -> Result<(), lro_build::Error> {
    lro_build::compile_protos(&["proto/exporter.proto"], &["proto"])
}
