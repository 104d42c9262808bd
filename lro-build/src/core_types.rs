use std::path::Path;

use crate::builder::{Builder, configure};
use crate::error::Error;
use crate::extern_paths::RPC_MESSAGES;
use crate::imports::GOOGLE_PROTOS;

/// Generates the wire types of lro-core itself, into `out_dir`: google.longrunning, and lro.v1 from
/// the folder `own_protos`.
///
/// For this repository only: the types are committed in lro-core, and the code that [`configure`]
/// generates refers to them.
///
/// # Errors
///
/// If a proto does not compile, or a file cannot be written.
#[doc(hidden)]
pub fn compile_core_types(
    out_dir: impl AsRef<Path>,
    own_protos: impl AsRef<Path>,
) -> Result<(), Error> {
    let google = builder(out_dir.as_ref());
    let protos: Vec<&str> = GOOGLE_PROTOS.iter().map(|(name, _)| *name).collect();
    google.compile_protos(&protos, &[] as &[&Path])?;
    // A set of its own, so that google's is what it is without this service.
    let inspection = builder(out_dir.as_ref()).extern_path(".google.longrunning", "crate::pb");
    let own = ["lro/v1/inspection.proto", "lro/v1/steps.proto"];
    inspection.compile_protos(&own, &[own_protos.as_ref()])
}

fn builder(out_dir: &Path) -> Builder {
    let mut builder = configure()
        .out_dir(out_dir)
        .emit_cargo_lines(false)
        .build_transport(false)
        .codec_path("crate::codec::ProstCodec");
    builder.own_types = true;
    builder.include_file = None;
    for name in RPC_MESSAGES {
        builder = builder.extern_path(
            format!(".google.rpc.{name}"),
            format!("::tonic_types::pb::{name}"),
        );
    }
    // Needed in the descriptor set, not as Rust types.
    builder.extern_path(".google.api", "::google_api")
}
