//! Recorded calls that the last run of a body has not made.

use lro_core::store::{StepKind, StepSummary, StepWrite};

use super::journal::Journal;
use crate::handler::run::Run;

/// The durable calls that were recorded, and that the last run of the body did not make. Logs them.
pub(crate) fn unreached(run: &Run) -> Vec<StepWrite> {
    let orphans = run.journal_if_used().map(Journal::orphans);
    let orphans = orphans.unwrap_or_default();
    if !orphans.is_empty() {
        tracing::info!(name = %run.name, ?orphans, "the body has ended without durable calls that were recorded");
    }
    let named = orphans.into_iter().take(StepSummary::MAX_UNREACHED);
    let named = named.map(|key| StepWrite {
        is_unreached: true,
        ..StepWrite::begun(key, StepKind::Step)
    });
    named.collect()
}
