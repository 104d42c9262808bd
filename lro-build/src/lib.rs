//! Generate typed long-running rpcs from protos, without protoc.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), lro_build::Error> {
//!     lro_build::compile_protos(&["proto/exporter.proto"], &["proto"])
//! }
//! ```
//!
//! For an rpc that says what its operation carries
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
//! the generated server trait and the generated client say the same in Rust:
//! `lro_core::Operation<ExportResponse, ExportMetadata>`. A handler or a caller that expects
//! something else does not compile. Everything else is what tonic generates.
//!
//! # What is in a generated file
//!
//! A file for each package, for `tonic::include_proto!`, with
//!
//! * the messages, each with `prost::Name` and a type URL below `type.googleapis.com`;
//! * `exporter_client` and `exporter_server` for a service `Exporter`;
//! * `exporter_methods`, with a type for each operation rpc that implements
//!   `lro_core::LongRunningMethod`; it is `exporter_server::methods` as well;
//! * `FILE_DESCRIPTOR_SET`, the descriptors with all imports and options, if the package has a
//!   service.
//!
//! A crate with generated code depends on lro-core, prost and tonic, and on prost-types if a proto
//! uses well-known types.
//!
//! # Imports
//!
//! `google/longrunning/operations.proto`, `google/rpc/{code,error_details,status}.proto` and
//! `google/api/{annotations,client,field_behavior,field_info,http,launch_stage,resource,routing}.proto`
//! come with the crate; a copy of yours below an include path wins. `google/protobuf/*.proto` come
//! with the compiler, and are always its own. The Rust types of `google.longrunning` are `lro_core::pb`, those of `google.rpc` are
//! `lro_core::pb::rpc`; `google.api` gets Rust code only where a message or rpc uses its types.
//!
//! # Type names
//!
//! In `operation_info` a name without a dot is a message of the package that declares the rpc; a
//! name with a dot is a full name, without a leading dot. Both types have to be there;
//! `google.protobuf.Empty` is `()`. An rpc that returns an operation without the option is a
//! warning, and keeps the untyped `lro_core::pb::Operation`.
//!
//! # What it does not do
//!
//! It starts no process, and reads no file but the protos. It does not depend on lro-core either:
//! it only writes down its name.

mod builder;
mod comments;
mod core_types;
mod descriptors;
mod error;
mod extern_paths;
mod generator;
mod imports;
mod markers;
mod names;
mod operations;
mod options;
mod protos;
mod service;

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
