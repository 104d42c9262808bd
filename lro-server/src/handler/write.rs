//! Writes of a run that its body waits for: checkpoints and steps.

use lro_core::store::{Refusal, Update, Updated};
use prost_types::Any;
use tokio::time::Instant;
use tonic::Status;

use crate::engine::backoff::Backoff;
use crate::engine::update::update_one;
use crate::handler::run::{Run, StopReason};
use crate::rpc::error::store_failed;

/// The store's answer.
pub(crate) struct Answer {
    /// When the call that was answered began.
    pub(crate) called_at: Instant,
    /// Whether an earlier call failed, which may have had its effect.
    pub(crate) is_repeated: bool,
    pub(crate) updated: Result<Updated, Refusal>,
}

/// Updates the operation of a run. While the store is unavailable, it retries as long as the lease
/// lasts, so that an outage does not fail a body that uses `?`.
///
/// # Errors
///
/// That of the store. If the lease has expired, the run must stop, so that an error of the body does
/// not end the operation, which runs again.
pub(crate) async fn write_while_held(
    run: &Run,
    update: Update,
    failing: &'static str,
) -> Result<Answer, Status> {
    let called_at = Instant::now();
    let Some(link) = &run.link else {
        return Ok(Answer {
            called_at,
            is_repeated: false,
            updated: Err(Refusal::NotFound),
        });
    };
    let mut backoff = Backoff::default();
    let mut is_repeated = false;
    loop {
        let called_at = Instant::now();
        match update_one(&*link.store, update.clone()).await {
            Ok(updated) => {
                return Ok(Answer {
                    called_at,
                    is_repeated,
                    updated,
                });
            }
            Err(error) if error.is_retryable() && run.holds_lease() => {
                is_repeated = true;
                let pause = backoff.failed(failing, &error);
                tokio::time::sleep(pause).await;
            }
            Err(error) => {
                if !run.holds_lease() {
                    run.stop(StopReason::LeaseLost);
                }
                return Err(store_failed(&error));
            }
        }
    }
}

/// Unwritten metadata on its way to the store; returned to the run unless it has arrived.
pub(crate) struct CarriedMetadata<'a> {
    run: &'a Run,
    metadata: Option<Any>,
    written: bool,
}

impl<'a> CarriedMetadata<'a> {
    pub(crate) fn take(run: &'a Run) -> Self {
        Self {
            metadata: run.take_metadata(true),
            run,
            written: false,
        }
    }

    pub(crate) fn metadata(&self) -> Option<Any> {
        self.metadata.clone()
    }

    pub(crate) fn written(mut self) {
        self.written = true;
    }
}

impl Drop for CarriedMetadata<'_> {
    fn drop(&mut self) {
        if self.metadata.is_some() {
            self.run.metadata_written(self.written);
        }
    }
}
