//! Generates the Rust code of `proto/cluster.proto`.

fn main() -> Result<(), lro_build::Error> {
    lro_build::compile_protos(&["proto/cluster.proto"], &["proto"])
}
