//! Generates the Rust code of the API and of what the server keeps.

use std::path::PathBuf;

fn main() -> Result<(), lro_build::Error> {
    let protos = ["archiver", "state"].map(|it| format!("proto/examples/archiver/v1/{it}.proto"));
    let out_dir = std::env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    lro_build::configure()
        .comments_path(out_dir.join("comments.binpb"))
        .request_comments(true)
        .compile_protos(&protos, &["proto"])
}
