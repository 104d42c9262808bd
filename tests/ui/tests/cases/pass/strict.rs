//! Generated code compiles without a prelude, beside modules with the names of crates, and under every lint.
//!
//! `Box` is imported for `async_trait`, which takes it from the prelude.

#![no_implicit_prelude]
#![deny(
    missing_debug_implementations,
    missing_docs,
    private_bounds,
    private_interfaces,
    single_use_lifetimes,
    unreachable_pub,
    unused,
    unused_qualifications,
    unused_results,
    warnings
)]

use ::exporter::pb;
use ::lro_server::{OperationContext, Operations, long_running};
use ::std::boxed::Box;
use ::std::result::Result::{self, Err, Ok};
use ::tonic::{Request, Response, Status};

/// In the way of `::core`.
pub mod core {}

/// In the way of `::std`.
pub mod std {}

/// A service.
#[derive(::std::fmt::Debug)]
pub struct Exporter {
    operations: Operations,
}

struct Failed;

impl ::std::convert::From<Failed> for Status {
    fn from(Failed: Failed) -> Self {
        Self::internal("failed")
    }
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(timeout = "5s", on_crash = resume, concurrency = 3)]
    async fn export(
        &self,
        request: pb::ExportRequest,
        _: OperationContext<pb::ExportMetadata>,
    ) -> Result<pb::ExportResponse, Failed> {
        if request.tables.is_empty() {
            return Err(Failed);
        }
        Ok(::std::default::Default::default())
    }

    async fn get_table(
        &self,
        _request: Request<pb::GetTableRequest>,
    ) -> Result<Response<pb::Table>, Status> {
        Ok(Response::new(::std::default::Default::default()))
    }
}

fn main() {}
