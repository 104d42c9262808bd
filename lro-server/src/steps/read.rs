//! Reads the rows of a run's operation.

use lro_core::store::{StepQuery, StepRow, StoreError};

use crate::engine::backoff::Backoff;
use crate::handler::run::Run;

/// The recorded rows. While the store is unavailable, it retries as long as the lease lasts.
pub(crate) async fn read_rows(run: &Run) -> Result<Vec<StepRow>, StoreError> {
    let Some(link) = &run.link else {
        return Ok(Vec::new());
    };
    let mut backoff = Backoff::default();
    loop {
        match link.store.steps(StepQuery::all(run.uid, run.epoch())).await {
            Err(error) if error.is_retryable() && run.holds_lease() => {
                let pause = backoff.failed("cannot read the steps of an operation", &error);
                tokio::time::sleep(pause).await;
            }
            answer => return answer,
        }
    }
}
