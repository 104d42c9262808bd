//! A durable call under way.

use std::sync::Arc;

use lro_core::Timestamp;
use lro_core::pb::rpc;
use lro_core::store::{StepKey, StepKind, StepOutcome, StepRow, StepWake, StepWrite};
use prost::Message as _;
use prost_types::Any;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::fault;
use super::in_closure::is_in_closure_of;
use super::journal::{Activity, Found, Journal, Made, Unwritten};
use super::name::StepName;
use super::read::read_rows;
use super::wait::Wait;
use crate::handler::run::Run;
use crate::rpc::error::store_failed;

/// A durable call under way, until this is dropped.
pub(super) struct Call {
    run: Arc<Run>,
    made: Made,
    kind: StepKind,
    began: Instant,
    /// How often the closure was begun.
    attempt: u32,
}

impl Call {
    /// Notes the call.
    pub(super) fn new(run: &Arc<Run>, scope: &str, name: &StepName, kind: StepKind) -> Self {
        let key = name
            .in_scope(scope)
            .and_then(|key| match is_in_closure_of(run.uid) {
                true => Err(fault::nested(key.as_str())),
                false => Ok(key),
            });
        let mut made = run.journal().made(key);
        // Whether code was introduced is no part of the order of calls: it may be asked anywhere.
        made.is_sequential &= kind != StepKind::Introduced;
        Self {
            made,
            run: run.clone(),
            kind,
            began: Instant::now(),
            attempt: 0,
        }
    }

    pub(super) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    pub(super) fn journal(&self) -> &Journal {
        self.run.journal()
    }

    pub(super) fn key(&self) -> Result<&StepKey, Status> {
        self.made.key.as_ref().map_err(Clone::clone)
    }

    /// [`OperationContext::time`](crate::OperationContext::time) when the body made the call.
    pub(super) fn made_at(&self) -> Timestamp {
        self.made.at
    }

    pub(super) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The row that earlier runs have recorded of the call. Never returns if the run cannot continue.
    pub(super) async fn find(&mut self, type_url: &str) -> Result<Option<StepRow>, Status> {
        let key = self.key()?;
        match self.journal().find(key, self.kind, type_url) {
            Found::Row(row) => {
                self.attempt = row.attempt;
                Ok(Some(*row))
            }
            Found::New => Ok(None),
            Found::Halted => std::future::pending().await,
            Found::Ended => Err(fault::run_ended()),
        }
    }

    /// Begins an attempt of the closure. Never returns if the worker drains.
    pub(super) async fn begin(&mut self) {
        if !self.journal().may_begin() {
            std::future::pending::<()>().await;
        }
        self.attempt += 1;
        self.set_activity(Activity::Work);
    }

    fn set_activity(&self, activity: Activity) {
        self.journal().set_activity(self.made.id, activity);
    }

    /// Returns when the wait has ended. The run may be suspended meanwhile.
    pub(super) async fn wait(&self, wait: Wait) {
        let ends = wait.ends();
        if ends.is_some_and(|ends| ends <= Instant::now()) {
            return;
        }
        self.set_activity(Activity::Wait(Box::new(wait)));
        match ends {
            Some(ends) => tokio::time::sleep_until(ends).await,
            None => std::future::pending().await,
        }
        self.set_activity(Activity::Work);
    }

    /// A wait that an earlier run has recorded.
    pub(super) fn recorded_wait(&self, row: &StepRow) -> Wait {
        Wait::recorded(row, self.run.store_clock())
    }

    /// A wait that begins now.
    pub(super) fn new_wait(
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

    /// Records that the closure begins, before it does.
    pub(super) async fn record_begun(&self) -> Result<(), Status> {
        self.commit(self.write(None)?).await.map(drop)
    }

    /// Records how the call has ended: durable when this returns.
    pub(super) async fn record(&self, outcome: StepOutcome) -> Result<(), Status> {
        let time = self.commit(self.write(Some(outcome))?).await?;
        self.journal().passed(time);
        Ok(())
    }

    /// Records how the call has ended with the next commit.
    pub(super) fn record_lazily(&self, outcome: StepOutcome) -> Result<(), Status> {
        let write = self.write(Some(outcome))?;
        if self.run.link.is_some() {
            self.journal().write(Unwritten::lazy(write));
        }
        Ok(())
    }

    fn write(&self, outcome: Option<StepOutcome>) -> Result<StepWrite, Status> {
        Ok(StepWrite {
            attempt: self.attempt,
            sequential: self.made.is_sequential,
            begun_ago: self.began.elapsed(),
            outcome,
            ..StepWrite::begun(self.key()?.clone(), self.kind)
        })
    }

    async fn commit(&self, write: StepWrite) -> Result<Timestamp, Status> {
        if self.run.link.is_none() {
            return Ok(self.journal().time());
        }
        let (answer, answered) = oneshot::channel();
        self.set_activity(Activity::Work);
        self.journal().write(Unwritten {
            write,
            answer: Some(answer),
        });
        match answered.await {
            Ok(answer) => answer,
            Err(_) => Err(fault::run_ended()),
        }
    }

    /// The result of a row that another process has finished during this run.
    pub(super) async fn read_again(&self) -> Result<Any, Status> {
        let rows = read_rows(&self.run).await;
        let rows = rows.map_err(|error| store_failed(&error))?;
        let key = self.key()?;
        let row = rows.iter().find(|row| row.key == *key);
        row.and_then(|row| self.replay(row))
            .unwrap_or_else(|| Err(fault::run_ended()))
    }

    /// The result that a finished row gives to the body; `None` for a row that has not finished.
    pub(super) fn replay(&self, row: &StepRow) -> Option<Result<Any, Status>> {
        let outcome = row.outcome.as_ref()?;
        // Rows that no commit waits for have another time in each run.
        let is_lazy = matches!(row.kind, StepKind::Sleep | StepKind::Introduced);
        if let (false, Some(time)) = (is_lazy, row.end_time) {
            self.journal().passed(time);
        }
        Some(result(outcome))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.run.journal().ended(self.made.id);
    }
}

/// The result of a call for the body, the same at its first run and at later ones.
pub(super) fn result(outcome: &StepOutcome) -> Result<Any, Status> {
    match outcome {
        StepOutcome::Response(response) => Ok(response.clone()),
        StepOutcome::Error(error) => Err(status(error)),
        _ => Err(Status::cancelled("another durable call has won")),
    }
}

/// The status of a recorded error, with its details to the byte.
fn status(error: &rpc::Status) -> Status {
    let code = Code::from_i32(error.code);
    Status::with_details(code, error.message.clone(), error.encode_to_vec().into())
}
