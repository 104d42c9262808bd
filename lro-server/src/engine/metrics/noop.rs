//! The recorder of a build that measures nothing.

use std::sync::Arc;

use lro_core::Timestamp;
use lro_core::store::{Command, OperationRecord, OperationState, OperationStore};

#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics;

impl Metrics {
    pub(crate) fn observe(&self, store: Arc<dyn OperationStore>) -> Arc<dyn OperationStore> {
        store
    }

    pub(crate) fn started(&self, _record: &OperationRecord) {}

    pub(crate) fn ended(&self, _record: &OperationRecord) {}

    pub(crate) fn backlog(&self, _method: &str, _count: usize, _age: std::time::Duration) {}

    pub(crate) fn corrupt(&self, _call: &'static str, _count: usize) {}

    pub(crate) fn runtime_stalled(&self) {}

    pub(crate) fn blocking_poll(&self, _method: &str) {}

    pub(crate) fn deleted_running(&self, _method: &str, _change: i64) {}

    #[cfg(feature = "serve")]
    pub(crate) fn connection_refused(&self, _limit: &'static str) {}

    #[cfg(feature = "serve")]
    pub(crate) fn http_answered(
        &self,
        _method: &'static str,
        _route: &str,
        _status: u16,
        _seconds: f64,
    ) {
    }

    #[cfg(feature = "serve")]
    pub(crate) fn unknown_types(&self, _route: &str, _count: usize) {}

    pub(crate) fn run(&self, _record: &OperationRecord, _claimed: Timestamp) -> RunMetrics {
        RunMetrics
    }
}

#[derive(Debug)]
pub(crate) struct RunMetrics;

impl RunMetrics {
    pub(crate) fn lease_lost(&self) {}

    pub(crate) fn written(&self, _command: &Command, _state: OperationState) {}
}
