//! The steps of a saga that its block has reached.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lro_core::Timestamp;
use lro_core::store::{StepKey, StepKind, StepOutcome, StepRow, StepWrite};
use prost_types::Any;
use tokio::sync::OnceCell;
use tonic::Status;

use crate::steps::answer::SagaNumber;
use crate::steps::call::Call;
use crate::steps::closure::ClosureFuture;
use crate::steps::fault;
use crate::steps::in_block::block_of;

/// Undoes a step, whose response it gets if that is known.
pub(super) type UndoClosure<'a> = dyn Fn(Option<Any>) -> ClosureFuture<'a> + Send + Sync + 'a;

/// A saga, for its steps and its run.
pub(super) struct Inner<'a> {
    pub(super) number: SagaNumber,
    key: Option<StepKey>,
    opened: OnceCell<()>,
    registered: Mutex<Vec<Registered<'a>>>,
}

/// A step that the block has reached.
#[derive(Clone)]
pub(super) struct Registered<'a> {
    pub(super) key: StepKey,
    pub(super) response: Option<Any>,
    pub(super) undo: Arc<UndoClosure<'a>>,
    place: Place,
}

/// The place of a step in the order of the ends: the same in each run. Steps that have not ended are the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// It has ended at this time, by the store's clock.
    Ended(Timestamp),
    /// It has not.
    Unended,
}

impl<'a> Inner<'a> {
    pub(super) fn new(number: SagaNumber, key: Option<&StepKey>) -> Self {
        Self {
            number,
            key: key.cloned(),
            opened: OnceCell::new(),
            registered: Mutex::default(),
        }
    }

    /// The steps that the block has reached, the newest first. Of those with one place, a step that was reached later is
    /// newer. A child that has ended after the decision to undo had not ended then.
    pub(super) fn newest_first(&self, decided: Timestamp) -> Vec<Registered<'a>> {
        let mut steps = self.lock().clone();
        for step in &mut steps {
            if step.place > Place::Ended(decided) {
                step.place = Place::Unended;
            }
        }
        steps.reverse();
        steps.sort_by_key(|step| std::cmp::Reverse(step.place));
        steps
    }

    /// The steps that the block has reached.
    pub(super) fn keys(&self) -> Vec<StepKey> {
        self.lock().iter().map(|step| step.key.clone()).collect()
    }

    /// A child that was under way has ended.
    pub(super) fn ended(&self, row: &StepRow) {
        let mut registered = self.lock();
        let Some(step) = registered.iter_mut().rfind(|step| step.key == row.key) else {
            return;
        };
        if let Some(StepOutcome::Response(response)) = &row.outcome {
            step.response = Some(response.clone());
        }
        if let Some(time) = row.end_time {
            step.place = Place::Ended(time);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Registered<'a>>> {
        self.registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step of a saga under way.
pub(in crate::steps) struct Undoable<'a> {
    saga: Arc<Inner<'a>>,
    key: Option<StepKey>,
    undo: Arc<UndoClosure<'a>>,
    is_registered: AtomicBool,
}

impl<'a> Undoable<'a> {
    pub(super) fn new(
        saga: Arc<Inner<'a>>,
        key: Option<StepKey>,
        undo: Arc<UndoClosure<'a>>,
    ) -> Self {
        Self {
            saga,
            key,
            undo,
            is_registered: AtomicBool::new(false),
        }
    }

    /// Whether the step is awaited in the block of its saga.
    pub(in crate::steps) fn check(&self, call: &Call) -> Result<(), Status> {
        let block = block_of(call.run().uid);
        match block.is_some_and(|block| block.saga == self.saga.number) {
            true => Ok(()),
            false => Err(fault::outside_of_saga(call.key()?.as_str())),
        }
    }

    /// The block has reached the step, which an earlier run may have recorded.
    pub(in crate::steps) fn reached(&self, row: Option<&StepRow>) {
        let Some(key) = self.key.clone() else {
            return;
        };
        if self.is_registered.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut registered = self.saga.lock();
        let (response, place) = match row {
            Some(row) if row.is_finished() => {
                let response = match &row.outcome {
                    Some(StepOutcome::Response(response)) => Some(response.clone()),
                    _ => None,
                };
                (
                    response,
                    Place::Ended(row.end_time.unwrap_or(row.begin_time)),
                )
            }
            _ => (None, Place::Unended),
        };
        registered.push(Registered {
            key,
            response,
            undo: self.undo.clone(),
            place,
        });
    }

    /// Opens the saga before its first closure begins: durable when this returns.
    pub(in crate::steps) async fn open(&self, call: &Call) -> Result<(), Status> {
        let Some(key) = &self.saga.key else {
            return Ok(());
        };
        let open = async || {
            let journal = call.journal();
            let row = journal.row_of_saga(key, StepKind::Saga);
            if row.as_ref().is_some_and(StepRow::is_finished) {
                return call
                    .block(fault::saga_ended(key.as_str(), call.key()?.as_str()))
                    .await;
            }
            if row.is_none() {
                journal.saga_opens(key);
                let row = StepWrite {
                    sequential: false,
                    ..StepWrite::begun(key.clone(), StepKind::Saga)
                };
                call.commit(row).await?;
            }
            Ok(())
        };
        self.saga.opened.get_or_try_init(open).await.map(drop)
    }

    /// The closure has ended, with this response or an error.
    pub(in crate::steps) fn returned(&self, response: Option<Any>) {
        self.with(|step| step.response = response);
    }

    /// The step has ended at this time, by the store's clock.
    pub(in crate::steps) fn ended_at(&self, time: Timestamp) {
        self.with(|step| step.place = Place::Ended(time));
    }

    fn with(&self, change: impl FnOnce(&mut Registered<'a>)) {
        let mut registered = self.saga.lock();
        let own = registered
            .iter_mut()
            .rfind(|step| Some(&step.key) == self.key.as_ref());
        if let Some(step) = own {
            change(step);
        }
    }
}
