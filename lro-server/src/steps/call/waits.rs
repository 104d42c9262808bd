//! The waits of durable calls.

use std::time::Duration;

use lro_core::pb::rpc;
use lro_core::store::{StepRow, StepWake, StepWrite};
use tokio::time::Instant;
use tonic::Status;

use super::Call;
use crate::steps::answer::Activity;
use crate::steps::hooks;
use crate::steps::wait::Wait;

impl Call {
    /// Returns when the wait has ended. The run may be suspended meanwhile.
    pub(in crate::steps) async fn wait(&self, wait: Wait) {
        let ends = wait.ends();
        if ends.is_some_and(|ends| ends <= Instant::now()) {
            return;
        }
        hooks::waits(wait.key());
        self.set_activity(Activity::Wait(Box::new(wait)));
        match ends {
            Some(ends) => tokio::time::sleep_until(ends).await,
            None => std::future::pending().await,
        }
        self.set_activity(Activity::Work);
    }

    /// Returns the row of a promise when it is completed; `None` when the wait has ended without that. The
    /// run may be suspended meanwhile.
    pub(in crate::steps) async fn wait_for_completion(
        &self,
        wait: Wait,
    ) -> Result<Option<StepRow>, Status> {
        let key = self.key()?;
        tokio::select! {
            biased;
            row = self.journal().completed(key) => Ok(Some(row)),
            () = self.wait(wait) => Ok(None),
        }
    }

    /// A wait that an earlier run has recorded.
    pub(in crate::steps) fn recorded_wait(&self, row: &StepRow) -> Wait {
        Wait::recorded(row, self.run.store_clock())
    }

    /// A wait that begins now.
    pub(in crate::steps) fn new_wait(
        &self,
        wake: Option<StepWake>,
        last_error: Option<rpc::Status>,
    ) -> Result<Wait, Status> {
        let row = StepWrite {
            wake,
            last_error,
            ..self.write(None)?
        };
        Ok(Wait::new(row, self.run.store_clock()))
    }

    /// A wait that begins now, of a row that is recorded already.
    pub(in crate::steps) fn started_wait(&self, timeout: Option<Duration>) -> Result<Wait, Status> {
        let wait = self.new_wait(timeout.map(StepWake::After), None)?;
        Ok(wait.into_recorded())
    }
}
