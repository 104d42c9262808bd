//! Conditions on the wait of an operation, as far as SQL can tell.

use lro_core::filter::StepCondition;

use super::condition::{Builder, Sql};

impl Builder {
    /// The wait of a pending operation is encoded: bytes without the key are of another wait.
    pub(super) fn step(&mut self, condition: &StepCondition) -> Sql {
        let otherwise = match condition.otherwise() {
            true => "TRUE",
            false => "FALSE",
        };
        let other = condition.part().map(|part| {
            let part = self.bytes(part);
            format!(" WHEN position({part} IN steps) = 0 THEN FALSE")
        });
        let other = other.unwrap_or_default();
        Sql::Text(format!(
            "(CASE WHEN steps IS NULL OR state <> 0 THEN {otherwise}{other} END)"
        ))
    }
}
