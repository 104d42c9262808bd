//! A durable call under way.

mod attempts;
mod waits;

use std::sync::Arc;

use lro_core::Timestamp;
use lro_core::pb::rpc;
use lro_core::store::{StepKey, StepKind, StepOutcome, StepRow, StepWake, StepWrite};
use prost::Message as _;
use prost_types::Any;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::answer::{Activity, Found, Made};
use super::child::Stop;
use super::fault;
use super::hooks;
use super::in_block::{block_of, yield_once};
use super::in_closure::is_in_closure_of;
use super::journal::Journal;
use super::name::StepName;
use super::outgoing::Unwritten;
use super::read::read_rows;
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
    /// Whether its row rides on the next commit.
    is_lazy: bool,
    /// Whether the body passes the time of its row. That of a lazy row may be another one in each run.
    is_timed: bool,
}

/// How a call has ended, as it is recorded.
pub(super) struct Ended {
    pub(super) result: Result<Any, Status>,
    /// Its place among the ends that this run has recorded; 0 of one that an earlier run has.
    pub(super) place: u64,
    /// When it ended, by the store's clock; of a lazy row, a time before its commit and after those before it.
    pub(super) time: Timestamp,
}

impl Call {
    /// Notes the call.
    pub(super) fn new(run: &Arc<Run>, scope: &str, name: &StepName, kind: StepKind) -> Self {
        let key = name.in_scope(scope).and_then(super::name::free);
        let key = key.and_then(|key| match is_in_closure_of(run.uid) {
            true => Err(fault::nested(key.as_str())),
            false => Ok(key),
        });
        let mut made = run.journal().made(key);
        if let Err(mistake) = &made.key {
            hooks::mistake(mistake);
        }
        // Whether code was introduced is no part of the order of calls: it may be asked anywhere.
        made.is_sequential &= kind != StepKind::Introduced;
        Self {
            made,
            run: run.clone(),
            kind,
            began: Instant::now(),
            attempt: 0,
            is_lazy: is_lazy(kind),
            is_timed: !is_lazy(kind),
        }
    }

    /// A call that a saga makes by itself, under this key.
    pub(super) fn by_saga(run: &Arc<Run>, key: &StepKey, kind: StepKind) -> Self {
        Self {
            made: run.journal().made_by_saga(key),
            run: run.clone(),
            kind,
            began: Instant::now(),
            attempt: 0,
            is_lazy: false,
            is_timed: true,
        }
    }

    /// Its row rides on the next commit.
    pub(super) fn set_lazy(&mut self) {
        self.is_lazy = true;
        self.is_timed = false;
    }

    /// Its row is durable when it returns.
    pub(super) fn set_durable(&mut self) {
        self.is_lazy = false;
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

    /// The call fails if its key does not pass.
    pub(super) fn check(&mut self, check: impl FnOnce(&StepKey) -> Result<(), Status>) {
        if let Err(fault) = self.key().and_then(check) {
            self.made.key = Err(fault);
        }
    }

    pub(super) fn kind(&self) -> StepKind {
        self.kind
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
        self.find_and_note(type_url, |_| ()).await
    }

    /// The same. Tells `note` of the row as soon as the body has reached the call, also if the call does not
    /// begin.
    pub(super) async fn find_and_note(
        &mut self,
        type_url: &str,
        note: impl FnOnce(Option<&StepRow>),
    ) -> Result<Option<StepRow>, Status> {
        let key = self.key()?;
        let block = block_of(self.run.uid).map(|block| block.replayed_until);
        match self.journal().find(key, self.kind, type_url, block) {
            Found::Row(row) => {
                hooks::reached(key);
                note(Some(&row));
                self.attempt = row.attempt;
                Ok(Some(*row))
            }
            Found::New => {
                if self.kind != StepKind::Introduced {
                    hooks::begun(key);
                }
                note(None);
                Ok(None)
            }
            Found::Closed(row) => {
                note(row.as_deref());
                std::future::pending().await
            }
            Found::Halted => std::future::pending().await,
            Found::Ended => Err(fault::run_ended()),
        }
    }

    /// The row that an earlier run has recorded, of this kind.
    pub(super) fn recorded(&self, kind: StepKind) -> Option<StepRow> {
        let row = self.journal().recorded(self.key().ok()?)?;
        (row.kind == kind).then_some(row)
    }

    fn set_activity(&self, activity: Activity) {
        self.journal().set_activity(self.made.id, activity);
    }

    /// The row of the attempt that begins next, which is recorded with what it starts.
    pub(super) fn next_attempt(&self, wake: Option<StepWake>) -> Result<StepWrite, Status> {
        Ok(StepWrite {
            wake,
            attempt: self.attempt + 1,
            ..self.write(None)?
        })
    }

    /// Records that the closure begins, before it does.
    pub(super) async fn record_begun(&self) -> Result<(), Status> {
        self.commit(self.write(None)?).await.map(drop)
    }

    /// Records how the call has ended: durable when this returns, or with the next commit if the call is
    /// lazy.
    pub(super) async fn record(&self, outcome: StepOutcome) -> Result<Ended, Status> {
        let result = result(&outcome);
        let write = self.write(Some(outcome))?;
        let (time, place) = match self.is_lazy {
            true => (self.journal().time(), self.write_lazily(write)),
            false => {
                let (time, place) = self.commit(write).await?;
                if self.is_timed {
                    self.journal().passed(time);
                }
                (time, place)
            }
        };
        Ok(Ended {
            result,
            place,
            time,
        })
    }

    /// The same of a call that an event from outside may have ended: the first end counts.
    pub(super) async fn record_unless_ended(&self, outcome: StepOutcome) -> Result<Ended, Status> {
        match self.record(outcome).await {
            Err(refused) if refused.code() == Code::AlreadyExists => self.read_again().await,
            recorded => recorded,
        }
    }

    fn write_lazily(&self, write: StepWrite) -> u64 {
        if self.run.link.is_none() {
            return 0;
        }
        // Closures may act on what the call has returned; a sleep returns nothing, and `introduced` the same
        // again.
        let before_closures = matches!(
            self.kind,
            StepKind::Step | StepKind::SagaStep | StepKind::First
        );
        self.journal().write(Unwritten {
            before_closures,
            ..Unwritten::lazy(write)
        })
    }

    /// Whether the end of another call is recorded, or will be by a row that waits for its commit.
    pub(super) fn has_end_of(&self, key: Option<&StepKey>) -> bool {
        key.is_some_and(|key| self.journal().has_end_of(key))
    }

    /// Records with the next commit that another call has lost a race. A child that a saga may undo is cancelled, and
    /// waited for when the saga undoes.
    pub(super) fn abandon(&self, key: StepKey, kind: StepKind) {
        if self.run.link.is_none() {
            return;
        }
        let child = self.journal().outstanding_child(&key);
        let child = child.filter(|_| kind == StepKind::SagaChild);
        if kind == StepKind::SagaChild && child.is_none() && self.journal().has_children() {
            // Its start may be under way. The row of the winner says enough.
            return;
        }
        let write = match child.map(|child| child.stop(&self.run)) {
            Some(Stop::Cancel(write)) => {
                self.journal().child_cancelled(&key);
                write
            }
            Some(Stop::Wait(_)) => return,
            _ => StepWrite {
                sequential: false,
                outcome: Some(StepOutcome::Abandoned),
                ..StepWrite::begun(key, kind)
            },
        };
        self.journal().write(Unwritten::lazy(write));
    }

    /// The run ends, because the code does not fit what is recorded. Never returns.
    pub(super) async fn block<T>(&self, fault: Status) -> T {
        self.journal().block(fault);
        std::future::pending().await
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

    /// Writes a row. Returns the time of the commit, and the row's place among those of the run.
    pub(super) async fn commit(&self, write: StepWrite) -> Result<(Timestamp, u64), Status> {
        if self.run.link.is_none() {
            return Ok((self.journal().time(), 0));
        }
        let (answer, answered) = oneshot::channel();
        self.set_activity(Activity::Work);
        let place = self.journal().write(Unwritten {
            answer: Some(answer),
            ..Unwritten::lazy(write)
        });
        match answered.await {
            Ok(answer) => Ok((answer?, place)),
            Err(_) => Err(fault::run_ended()),
        }
    }

    /// The result of a row that another process has finished during this run.
    pub(super) async fn read_again(&self) -> Result<Ended, Status> {
        let rows = read_rows(&self.run).await;
        let rows = rows.map_err(|error| store_failed(&error))?;
        let key = self.key()?;
        let row = rows.iter().find(|row| row.key == *key);
        row.and_then(|row| self.replay(row))
            .ok_or_else(fault::run_ended)
    }

    /// Of a recorded error in the block of a saga, lets the calls beside it replay before the body acts on the
    /// error: it may drop them, and their undos would not be known.
    pub(super) async fn let_others_replay(&self, ended: &Ended) {
        let is_replayed_error = ended.place == 0 && ended.result.is_err();
        if is_replayed_error && self.journal().is_naming() {
            yield_once().await;
            self.journal().names_learnt_beside().await;
        }
        if is_replayed_error && block_of(self.run.uid).is_some() {
            yield_once().await;
        }
    }

    /// The end that a finished row gives to the body; `None` for a row that has not finished.
    pub(super) fn replay(&self, row: &StepRow) -> Option<Ended> {
        let outcome = row.outcome.as_ref()?;
        if let (true, Some(time)) = (self.is_timed, row.end_time) {
            self.journal().passed(time);
        }
        Some(Ended {
            result: result(outcome),
            place: 0,
            time: row.end_time.unwrap_or(row.begin_time),
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.run.journal().ended(self.made.id);
    }
}

/// Whether calls of this kind are lazy by themselves.
fn is_lazy(kind: StepKind) -> bool {
    matches!(
        kind,
        StepKind::Sleep | StepKind::First | StepKind::Introduced
    )
}

/// The result of a call for the body, the same at its first run and at later ones.
fn result(outcome: &StepOutcome) -> Result<Any, Status> {
    match outcome {
        StepOutcome::Response(response) => Ok(response.clone()),
        StepOutcome::Error(error) => Err(status(error)),
        _ => Err(Status::cancelled("another durable call has won")),
    }
}

/// The status of a recorded error, with its details to the byte.
pub(crate) fn status(error: &rpc::Status) -> Status {
    let code = Code::from_i32(error.code);
    Status::with_details(code, error.message.clone(), error.encode_to_vec().into())
}
