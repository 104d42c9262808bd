//! Runs whose operation was deleted: they continue without a slot, up to a bound.

use std::sync::Arc;

use lro_core::store::{Actor, Command, StoreError};
use uuid::Uuid;

use super::Shared;
use crate::engine::backoff::Backoff;
use crate::engine::update::update_one;
use crate::handler::registration::OnDelete;
use crate::handler::run::Run;

/// The cause of a cancellation after a deletion.
#[derive(Clone, Copy, Debug)]
enum CancelledBy {
    /// The caller that deleted the operation, whose record names this caller.
    Deleter,
    /// The worker, which runs too many deleted operations.
    Worker,
}

impl Shared {
    /// Handles the deletion of a running operation, which may run here.
    pub(super) fn deleted(self: &Arc<Self>, uid: Uuid) {
        let Some(deleted) = self.runs.delete(uid, self.settings.max_deleted_runs) else {
            return;
        };
        let run = deleted.run;
        self.engine.metrics().deleted_running(&run.method, 1);
        self.slot_freed(&run.method);
        if let Some(surplus) = deleted.surplus {
            tracing::warn!(
                name = %surplus.name,
                limit = self.settings.max_deleted_runs,
                "too many deleted operations still run: cancelling the one deleted first"
            );
            self.cancel(surplus, CancelledBy::Worker);
        }
        let method = self.methods.get(&*run.method);
        if method.is_some_and(|method| method.options.on_delete == OnDelete::Cancel) {
            self.cancel(run, CancelledBy::Deleter);
        }
    }

    /// Cancels the operation of a run durably; retries until it succeeds.
    fn cancel(self: &Arc<Self>, run: Arc<Run>, by: CancelledBy) {
        let shared = self.clone();
        let cancelling = async move {
            let mut backoff = Backoff::default();
            while let Err(error) = shared.cancel_once(&run, by).await {
                let pause = backoff.failed("cannot cancel a deleted operation", &error);
                tokio::select! {
                    // Another stop reason, or the end of the run, has the same effect.
                    _ = run.stopped() => return,
                    () = shared.stopping.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        };
        self.place.spawn(cancelling);
    }

    async fn cancel_once(&self, run: &Run, by: CancelledBy) -> Result<(), StoreError> {
        let actor = match by {
            CancelledBy::Worker => Actor::default(),
            CancelledBy::Deleter => {
                let record = self.store().get_deleted(&run.name).await?;
                let record = record.filter(|record| record.uid == run.uid);
                let deleter = record.and_then(|record| record.history.deleted_by);
                deleter.unwrap_or_default()
            }
        };
        // Refused, it has ended.
        let answer = update_one(self.store(), run.update(Command::Cancel(actor))).await?;
        drop(answer);
        Ok(())
    }
}
