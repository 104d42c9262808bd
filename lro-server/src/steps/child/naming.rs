//! Runs of operations that only undo, and have started children on other servers whose names are not stored.
//!
//! Such a child may have been started. Before anything is cancelled, the body runs to the calls of those children, which
//! make their starts again and so learn the names. That is all such a run does; the next one undoes.

use std::collections::BTreeSet;

use lro_core::store::{StepKey, StepOutcome};
use tonic::Status;

use super::elsewhere::{child_unknown, is_named, tell};
use crate::handler::run::Run;
use crate::steps::journal::Outstanding;

/// Whether this run must learn the names of children, and does nothing else.
pub(crate) async fn begin_naming(run: &Run) -> Result<bool, Status> {
    // A body without durable calls has no journal, and gets none here.
    let journal = match run.journal_if_used() {
        Some(journal) if run.is_unwinding() || journal.undoes() => journal,
        _ => return Ok(false),
    };
    let unnamed = unnamed(run, &journal.outstanding_children()).await?;
    let must_name = !unnamed.is_empty();
    if must_name {
        journal.begin_naming(unnamed);
    }
    Ok(must_name)
}

/// Those of the children whose operations on other servers may have been started without a known name.
pub(in crate::steps) async fn unnamed(
    run: &Run,
    children: &[Outstanding],
) -> Result<BTreeSet<StepKey>, Status> {
    let mut unnamed = BTreeSet::new();
    for Outstanding { key, child, .. } in children {
        if let Some(watch) = child
            && watch.name.is_watch()
            && !watch.is_cancelled
            && !is_named(run, watch).await?
        {
            unnamed.insert(key.clone());
        }
    }
    Ok(unnamed)
}

/// Tells the watches that are left that nothing is known of their operations.
pub(crate) async fn end_naming(run: &Run) -> Result<(), Status> {
    let journal = run.journal();
    for child in journal.outstanding_children() {
        let Outstanding { key, child, .. } = child;
        let Some(watch) = child.filter(|_| journal.is_unnamed(&key)) else {
            continue;
        };
        tracing::error!(name = %run.name, step = %key,
            "the body has not reached a child on another server again: look for it there");
        tell(run, &watch, StepOutcome::Error(child_unknown())).await?;
    }
    Ok(())
}
