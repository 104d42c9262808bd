use std::path::Path;

use crate::builder::configure;
use crate::error::Error;
use crate::extern_paths::RPC_MESSAGES;
use crate::imports::GOOGLE_PROTOS;

/// Generates the wire types of lro-core itself, into `out_dir`.
///
/// For this repository only: the types are committed in lro-core, and the code that [`configure`]
/// generates refers to them.
///
/// # Errors
///
/// If a file cannot be written.
#[doc(hidden)]
pub fn compile_core_types(out_dir: impl AsRef<Path>) -> Result<(), Error> {
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
    builder = builder.extern_path(".google.api", "::google_api");
    let protos: Vec<&str> = GOOGLE_PROTOS.iter().map(|(name, _)| *name).collect();
    builder.compile_protos(&protos, &[] as &[&Path])
}
