//! Reads of a run: the rows of its operation, and its record.

use lro_core::store::{OperationRecord, StepQuery, StepRow, StoreError};
use uuid::Uuid;

use crate::engine::backoff::Backoff;
use crate::handler::run::{Link, Run, StopReason};

/// The recorded rows. While the store is unavailable, it retries as long as the lease lasts.
pub(crate) async fn read_rows(run: &Run) -> Result<Vec<StepRow>, StoreError> {
    read_rows_of(run, run.uid, run.epoch()).await
}

/// The same of another operation.
pub(super) async fn read_rows_of(
    run: &Run,
    uid: Uuid,
    epoch: u32,
) -> Result<Vec<StepRow>, StoreError> {
    let Some(link) = &run.link else {
        return Ok(Vec::new());
    };
    let failing = "cannot read the steps of an operation";
    let query = || link.store.steps(StepQuery::all(uid, epoch));
    read_while_held(run, failing, query).await
}

/// The record, unless another operation has the name by now; with retries like [`read_rows`].
pub(super) async fn read_record(
    run: &Run,
    link: &Link,
) -> Result<Option<OperationRecord>, StoreError> {
    let failing = "cannot read an operation";
    let record = read_while_held(run, failing, || link.store.get(&run.name)).await?;
    Ok(record.filter(|record| record.uid == run.uid))
}

async fn read_while_held<T, F>(
    run: &Run,
    failing: &'static str,
    read: impl Fn() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut backoff = Backoff::default();
    loop {
        match read().await {
            Err(error) if error.is_retryable() && run.holds_lease() => {
                let pause = backoff.failed(failing, &error);
                tokio::time::sleep(pause).await;
            }
            answer => {
                if answer.is_err() && !run.holds_lease() {
                    // The error is none of the operation's.
                    run.stop(StopReason::LeaseLost);
                }
                return answer;
            }
        }
    }
}
