//! `google.longrunning.Operations` over gRPC.

pub(crate) mod error;
pub(crate) mod reason;
pub(crate) mod service;
pub(crate) mod status;
