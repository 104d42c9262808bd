#![doc = include_str!("../README.md")]
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), lro_build::Error> {
//!     lro_build::compile_protos(&["proto/exporter.proto"], &["proto"])
//! }
//! ```
//!
//! For an rpc that declares the types of its operation
//!
//! ```proto
//! rpc Export(ExportRequest) returns (google.longrunning.Operation) {
//!   option (google.longrunning.operation_info) = {
//!     response_type: "ExportResponse"
//!     metadata_type: "ExportMetadata"
//!   };
//! }
//! ```
//!
//! the generated server trait and the generated client use `lro_core::Operation<ExportResponse,
//! ExportMetadata>`. A handler or a caller that expects other types does not compile. Everything
//! else is as tonic generates it.
//!
//! # Generated files
//!
//! `protos.rs` includes the code of all packages, each in the modules of its name:
//!
//! ```no_run
//! // lib.rs or main.rs; the messages of `exporter.v1` are in `pb::exporter::v1`
//! # const _: &str = stringify! {
//! mod pb {
//!     lro_server::include_protos!(); // or lro_client, or lro_core
//! }
//! # };
//! ```
//!
//! That is `include!(concat!(env!("OUT_DIR"), "/protos.rs"))`. The file of each package, which `tonic::include_proto!` finds by the package's name, has
//!
//! * the messages, each with `prost::Name` and a type URL below `type.googleapis.com`;
//! * `exporter_client` and `exporter_server` for a service `Exporter`;
//! * `exporter_methods`, with a type for each operation rpc that implements
//!   `lro_core::LongRunningMethod`; it is also `exporter_server::methods`, and
//!   `exporter_server::long_running_rpcs` has the same types by the names of their handlers, for
//!   `#[long_running]`;
//! * `FILE_DESCRIPTOR_SET`, the descriptors with all imports and options, if the package has a
//!   service. All packages of a build include the same file, named after the first of them.
//!
//! A crate with generated code depends on prost, tonic, and one of lro-server, lro-client and
//! lro-core, and on prost-types if a proto uses well-known types. The build script finds lro-core
//! through the crate's manifest, and names missing dependencies.
//!
//! Comments become documentation, escaped so that rustdoc finds no code, Rust links or HTML in it.
//!
//! # Names
//!
//! Names are those of the proto, written as Rust writes them, with one exception: a client has
//! methods of its own, such as `connect` and `clone`. There the method of an rpc `Connect` is
//! `connect_rpc`; the handler in the server trait is `connect`.
//!
//! Other name clashes are errors, which name both items and a remedy. A package `a.b.cluster`
//! beside a message `a.b.Cluster` with nested types does not clash: both are in the module
//! `a::b::cluster`.
//!
//! # Imports
//!
//! `google/longrunning/operations.proto`, `google/rpc/{code,error_details,status}.proto` and
//! `google/api/{annotations,client,field_behavior,field_info,http,httpbody,launch_stage,resource,routing}.proto`
//! come with the crate; your own copy below an include path has precedence. `google/protobuf/*.proto` always
//! come with the compiler. If no file imports a type that an `operation_info` names, the compiler searches the
//! files below the include paths, compiles the one with the type, and prints a warning. The Rust types of
//! `google.longrunning` are `lro_core::pb`, those of `google.rpc` are `lro_core::pb::rpc`; `google.api` gets
//! Rust code only where a message or rpc uses its types.
//!
//! # Type names
//!
//! In `operation_info` a name without a dot is a message of the package that declares the rpc; a
//! name with a dot is a full name, without a leading dot. Both types have to be there.
//!
//! | in the option | in Rust |
//! | --- | --- |
//! | a message | its struct, of another crate if there is an [`extern_path`](Builder::extern_path) |
//! | `google.protobuf.Empty` | `()` |
//! | `google.protobuf.Any` | `lro_core::wkt::Any`, which is that of prost-types: the handler packs what it likes |
//! | `google.protobuf.{FieldMask,ListValue,Struct,Value}`, `google.rpc.Status` | `lro_core::wkt`, because prost's own have no name to travel under; fields keep prost's |
//! | `google.protobuf.{Duration,Timestamp}`, the wrappers | as in prost, without a dependency on prost-types |
//!
//! # Rpcs without `operation_info`
//!
//! They cause a warning. If the proto is yours, annotate it; otherwise declare the types in the
//! build script with [`Builder::operation_info`], and caller and handler are typed, too. Without
//! either, the rpc returns `Operation<Any, Any>`, and its handler may use any message of the
//! package or of a file that the proto imports, `()` or `Any`, as named in `#[long_running(response
//! = .., metadata = ..)]`. An rpc that streams operations keeps the raw message, and so does one
//! whose request has no `prost::Name`.
//!
//! # Protos of others
//!
//! You cannot change the protos of others, so the build script has these options:
//!
//! * [`operation_info`](Builder::operation_info): declares the types of an operation, if the option
//!   is missing or names unknown types;
//! * [`ignore_operation_info`](Builder::ignore_operation_info): ignores a wrong option. An rpc that
//!   has the option but returns a message that contains the operation is a plain rpc in any case, and
//!   causes a warning without this;
//! * [`style_warnings_for`](Builder::style_warnings_for): selects the packages for style warnings.
//!
//! # Standard fields
//!
//! The methods' types also tell the engine which standard fields there are, so that it can read
//! and fill them without the handler's doing: `string request_id` (AIP-155), `bool validate_only`
//! (AIP-163), and `string parent`, `string name` or the name of an updated resource in a request,
//! which the operation's metadata has as its target, and which its own parent can be taken from
//! (`#[long_running(parent = "projects/*")]`);
//! `create_time`, `start_time`, `update_time`, `end_time`, `target`, `verb`, `api_version` and
//! `requested_cancellation` or `cancel_requested` in metadata, and of operations with steps
//! `string current_step`, `string waiting_for`, `int32 steps_done` and `string blocked_reason`. A field of such a name and another
//! type, a repeated one and a member of a `oneof` are left alone.
//!
//! # Coming from tonic-prost-build
//!
//! The options have the same names, but for these:
//!
//! * no `protoc_arg`, `skip_protoc_run` and `compile_with_config`, as nothing runs protoc, and a
//!   `prost_build::Config` would make its version part of this crate's; [`compile_fds`] takes what
//!   your own protoc or buf has written;
//! * no `use_arc_self`, `emit_package`, `proto_path`, `compile_well_known_types` and
//!   `with_extended_rust_types`: the macro, the wire or the messages' names would not fit;
//! * [`build_descriptors`](Builder::build_descriptors),
//!   [`operation_info`](Builder::operation_info),
//!   [`ignore_operation_info`](Builder::ignore_operation_info),
//!   [`style_warnings_for`](Builder::style_warnings_for), [`core_path`](Builder::core_path) and
//!   [`emit_cargo_lines`](Builder::emit_cargo_lines) are new;
//! * the [`include_file`](Builder::include_file) is written by default.
//!
//! # Limitations
//!
//! The crate starts no process, and reads only protos and the manifest. It does not depend on
//! lro-core; the generated code does. It supports proto2 and proto3, because neither the compiler
//! nor prost supports editions. A file with `edition = "2023"` is an error where code would be
//! generated for it; one that is imported and not used is a warning.
//!
#![doc = include_str!("../COST.md")]

mod builder;
mod comments;
mod core_types;
mod descriptors;
mod error;
mod extern_paths;
mod generator;
mod imports;
mod include_file;
mod manifest;
mod markers;
mod names;
mod operations;
mod options;
mod panics;
mod protos;
mod request_comments;
mod rust_names;
mod service;
mod standard;

use std::path::Path;

pub use builder::{Builder, configure};
pub use core_types::compile_core_types;
pub use error::Error;

/// Compiles protos with the default options, in a build script.
///
/// ```no_run
/// fn main() -> Result<(), lro_build::Error> {
///     lro_build::compile_protos(&["proto/exporter.proto"], &["proto"])
/// }
/// ```
///
/// # Errors
///
/// As [`Builder::compile_protos`].
pub fn compile_protos(
    protos: &[impl AsRef<Path>],
    includes: &[impl AsRef<Path>],
) -> Result<(), Error> {
    configure().compile_protos(protos, includes)
}

/// Compiles an encoded descriptor set with the default options, in a build script.
///
/// ```no_run
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     println!("cargo:rerun-if-changed=protos.binpb");
///     lro_build::compile_fds(std::fs::read("protos.binpb")?)?;
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// As [`Builder::compile_fds`], which also says how to get such a set.
pub fn compile_fds(set: impl AsRef<[u8]>) -> Result<(), Error> {
    configure().compile_fds(set)
}
