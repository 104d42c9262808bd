//! `google.longrunning.Operations` over gRPC.

pub(crate) mod error;
mod reason;
pub(crate) mod service;
pub(crate) mod status;
