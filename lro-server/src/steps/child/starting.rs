//! Notes on the current thread that a step starts a child, so that the start is recorded as that of the step.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use lro_core::store::{
    Child, ChildOf, OperationRecord, Origin, StartError, Started, StepKey, StepKind,
};
use prost_types::Any;
use tonic::Status;
use uuid::Uuid;

use crate::access::Principal;
use crate::engine::run_news::RunNews;
use crate::handler::error::HandlerError;
use crate::handler::run::Run;
use crate::steps::answer::SagaNumber;
use crate::steps::fault;
use crate::steps::in_block::block_of;
use crate::steps::journal::StartUnderWay;

thread_local! {
    /// The start whose closure this thread polls.
    static POLLED: RefCell<Option<Arc<Starting>>> = const { RefCell::new(None) };
}

/// The start of a child under way.
pub(crate) struct Starting {
    /// That of the parent.
    run: Arc<Run>,
    key: StepKey,
    kind: StepKind,
    is_left: bool,
    /// The saga in whose block the call is made.
    saga: Option<SagaNumber>,
    child_of: ChildOf,
    /// Whether the closure has started an operation.
    is_taken: AtomicBool,
    started: OnceLock<Child>,
    /// A mistake of the closure, which it may hide.
    fault: OnceLock<Status>,
}

impl Starting {
    pub(super) fn new(run: &Arc<Run>, child_of: ChildOf) -> Self {
        Self {
            run: run.clone(),
            key: child_of.step.key.clone(),
            kind: child_of.step.kind,
            is_left: child_of.is_left,
            saga: block_of(run.uid).map(|block| block.saga),
            child_of,
            is_taken: AtomicBool::new(false),
            started: OnceLock::new(),
            fault: OnceLock::new(),
        }
    }

    /// The start whose closure this thread polls, if it is one on this server.
    pub(crate) fn here(news: &Arc<RunNews>) -> Option<Arc<Self>> {
        let starting = POLLED.with_borrow(Clone::clone)?;
        let link = starting.run.link.as_ref();
        let is_here = link.is_some_and(|link| Arc::ptr_eq(&link.news, news));
        is_here.then_some(starting)
    }

    /// A UUID for a child of the testing kit: another one for each step and epoch, and the same in every run.
    #[cfg(feature = "testing")]
    pub(crate) fn derived_uid(&self) -> Uuid {
        self.run.derived_uuid(&["testing", self.key.as_str(), ""])
    }

    /// The principal on whose behalf the parent runs.
    pub(crate) fn principal(&self) -> Principal {
        Principal::new(self.run.origin.principal.clone())
    }

    /// Traces the child with its parent, unless the closure has named another trace.
    pub(crate) fn trace(&self, origin: &mut Origin) {
        if origin.trace_parent.is_empty() {
            origin
                .trace_parent
                .clone_from(&self.run.origin.trace_parent);
            origin.trace_state.clone_from(&self.run.origin.trace_state);
        }
    }

    /// The parent, for the one operation that the closure starts.
    pub(crate) fn take(&self) -> Result<ChildOf, Status> {
        if self.is_taken.swap(true, Ordering::Relaxed) {
            let second = || fault::second_child(self.run.name.as_str());
            return Err(self.fault.get_or_init(second).clone());
        }
        Ok(self.child_of.clone())
    }

    /// The run does not end before this is dropped: the start may be committed although nothing waits for it any more.
    pub(crate) fn under_way(&self) -> StartUnderWay {
        StartUnderWay::new(&self.run)
    }

    /// Whether the run still holds the parent: a start that meets a store out of order is repeated until then.
    pub(crate) fn is_held(&self) -> bool {
        self.run.holds_lease()
    }

    /// The store has answered to the start, or has failed: then the child may be stored all the same.
    pub(crate) fn answered(&self, answer: &Result<Result<Started, StartError>, Status>) {
        match answer {
            Ok(Ok(started)) => return self.started(&started.record),
            Ok(Err(_)) => {}
            Err(_) => self.run.journal().may_have_children(),
        }
        // The closure may try again.
        self.is_taken.store(false, Ordering::Relaxed);
    }

    /// The child is stored, and its step is recorded.
    pub(crate) fn started(&self, record: &OperationRecord) {
        let child = Child {
            name: record.name.clone(),
            uid: record.uid,
            is_left: self.is_left,
            is_cancelled: false,
        };
        self.run
            .journal()
            .child_started(&self.key, self.kind, child.clone(), self.saga);
        let _ = self.started.set(child);
    }
}

/// Hands the next start to the closure that makes it.
#[derive(Default)]
pub(super) struct Slot {
    starting: Mutex<Option<Arc<Starting>>>,
    request_id: OnceLock<Uuid>,
}

impl Slot {
    pub(super) fn set(&self, starting: Arc<Starting>) {
        *self.lock() = Some(starting);
    }

    /// The closure gets this request id instead of that of its step.
    pub(super) fn set_request_id(&self, request_id: Uuid) {
        let _ = self.request_id.set(request_id);
    }

    pub(super) fn request_id(&self) -> Option<Uuid> {
        self.request_id.get().copied()
    }

    /// The start that a closure makes which begins now.
    pub(super) fn begin(&self) -> Option<Arc<Starting>> {
        self.lock().clone()
    }

    /// The child that the last closure has started.
    pub(super) fn started(&self) -> Option<Child> {
        self.lock().as_ref()?.started.get().cloned()
    }

    /// The mistake that the last closure has made.
    pub(super) fn fault(&self) -> Option<Status> {
        self.lock().as_ref()?.fault.get().cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Starting>>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The future of a closure that starts a child, whose polls are noted.
pub(super) struct InStart<F> {
    future: Pin<Box<F>>,
    starting: Option<Arc<Starting>>,
}

impl<F> InStart<F> {
    pub(super) fn new(future: F, starting: Option<Arc<Starting>>) -> Self {
        Self {
            future: Box::pin(future),
            starting,
        }
    }
}

impl<F: Future<Output = Result<Any, HandlerError>>> Future for InStart<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _noted = Noted(POLLED.replace(self.starting.clone()));
        self.future.as_mut().poll(context)
    }
}

/// The note from before, which is restored.
struct Noted(Option<Arc<Starting>>);

impl Drop for Noted {
    fn drop(&mut self) {
        POLLED.set(self.0.take());
    }
}
