//! The API of a small exporter: what `lro_build` makes of a proto with one long-running rpc.
//!
//! `build.rs` is one call, and this crate includes what that writes. The generated server trait
//! and client name the types which the proto's `operation_info` names:
//!
//! ```
//! use exporter::pb;
//! use lro_core::{LongRunningMethod, Operation};
//! use tonic::{Request, Response, Status};
//!
//! struct Exporter;
//!
//! #[tonic::async_trait]
//! impl pb::exporter_server::Exporter for Exporter {
//!     async fn export(
//!         &self,
//!         request: Request<pb::ExportRequest>,
//!     ) -> Result<Response<Operation<pb::ExportResponse, pb::ExportMetadata>>, Status> {
//! #       let _ = request;
//!         // ..
//! #       Err(Status::unimplemented("an example"))
//!     }
//!
//!     async fn get_table(
//!         &self,
//!         request: Request<pb::GetTableRequest>,
//!     ) -> Result<Response<pb::Table>, Status> {
//!         let name = request.into_inner().name;
//!         Ok(Response::new(pb::Table { name, rows: 0 }))
//!     }
//! }
//!
//! assert_eq!(pb::exporter_methods::Export::PATH, "/exporter.v1.Exporter/Export");
//! ```
//!
//! The programs that serve and call it are the tests of lro-server and lro-client.

mod protos {
    lro_core::include_protos!();
}

/// The messages, server trait and client of `exporter.v1`.
pub use protos::exporter::v1 as pb;
