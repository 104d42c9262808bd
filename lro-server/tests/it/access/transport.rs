//! Calls without a socket.

use std::sync::Arc;

use lro_server::{Operations, OperationsService};

use crate::support::Exporter;

/// The service of operations, as tests call it.
pub(crate) type OperationsOver = OperationsService;

/// The service that starts them.
pub(crate) type ExporterOver = Exporter;

/// How many calls each test of isolation makes, unless `LRO_ISOLATION_CALLS` says.
pub(crate) const ISOLATION_CALLS: usize = 50_000;

/// Both services.
pub(crate) fn of(
    operations: &Operations,
    exporter: Arc<Exporter>,
) -> (OperationsOver, Arc<ExporterOver>) {
    (operations.clone().into(), exporter)
}
