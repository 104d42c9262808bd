//! Generates the Rust code of the API and of what the server keeps.

fn main() -> Result<(), lro_build::Error> {
    let protos = ["archiver", "state"].map(|it| format!("proto/examples/archiver/v1/{it}.proto"));
    lro_build::compile_protos(&protos, &["proto"])
}
