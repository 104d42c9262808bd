//! Generates the Rust code of `proto/approval.proto`.

fn main() -> Result<(), lro_build::Error> {
    lro_build::compile_protos(&["proto/approval.proto"], &["proto"])
}
