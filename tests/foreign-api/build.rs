//! Generates the Rust code of `google.cloud.redis.v1`.

use std::path::PathBuf;

fn main() -> Result<(), lro_build::Error> {
    println!("cargo:rerun-if-env-changed=GOOGLE_PROTO_FILES");
    let protos = std::env::var_os("GOOGLE_PROTO_FILES").map_or_else(
        // Where the test command installs them.
        || PathBuf::from("../../target/tmp/protos/node_modules/google-proto-files"),
        PathBuf::from,
    );
    lro_build::configure()
        .style_warnings_for(["none.of.ours"])
        .generate_default_stubs(true)
        .compile_protos(
            &[protos.join("google/cloud/redis/v1/cloud_redis.proto")],
            &[protos],
        )
}
