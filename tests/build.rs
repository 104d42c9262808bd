//! Generates the Rust code of the services that the tests serve.

fn main() -> Result<(), lro_build::Error> {
    lro_build::compile_protos(&["proto/library/v1/library.proto"], &["proto"])
}
