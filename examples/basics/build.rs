//! Generates the Rust code of the quick start's proto.

fn main() -> Result<(), lro_build::Error> {
    lro_build::compile_protos(
        &["../quickstart/proto/exporter.proto"],
        &["../quickstart/proto"],
    )
}
