//! Generates the Rust code of the exporter's proto twice: for a crate that depends on lro-core by
//! another name, and for one that reaches it through lro-server.

use std::env;
use std::path::PathBuf;

fn main() -> Result<(), generator::Error> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for (dir, core) in [("direct", "::wire"), ("through", "::server::lro_core")] {
        generator::configure()
            .core_path(core)
            .out_dir(out.join(dir))
            .compile_protos(
                &["../../examples/exporter/proto/exporter.proto"],
                &["../../examples/exporter/proto"],
            )?;
    }
    Ok(())
}
