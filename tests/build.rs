//! Generates the Rust code of the services that the tests serve.

fn main() -> Result<(), lro_build::Error> {
    let protos = [
        "proto/library/v1/library.proto",
        "proto/poison/v1/poison.proto",
    ];
    lro_build::compile_protos(&protos, &["proto"])
}
