//! Notes on the current thread that a step starts a child, so that the start is recorded as that of the step.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use lro_core::OperationName;
use lro_core::store::{Child, ChildOf, OperationRecord, Origin};
use prost_types::Any;
use tonic::Status;

use crate::access::Principal;
use crate::engine::run_news::RunNews;
use crate::handler::error::HandlerError;
use crate::steps::fault;

thread_local! {
    /// The start whose closure this thread polls.
    static POLLED: RefCell<Option<Arc<Starting>>> = const { RefCell::new(None) };
}

/// The start of a child under way.
pub(crate) struct Starting {
    /// Those of the server on which the child must be started.
    news: Arc<RunNews>,
    /// That of the parent.
    origin: Origin,
    /// Taken by the start.
    child_of: Mutex<Option<ChildOf>>,
    parent: OperationName,
    started: OnceLock<Child>,
    /// A mistake of the closure, which it may hide.
    fault: OnceLock<Status>,
}

impl Starting {
    pub(super) fn new(news: &Arc<RunNews>, origin: &Origin, child_of: ChildOf) -> Self {
        Self {
            news: news.clone(),
            origin: origin.clone(),
            parent: child_of.operation.clone(),
            child_of: Mutex::new(Some(child_of)),
            started: OnceLock::new(),
            fault: OnceLock::new(),
        }
    }

    /// The start whose closure this thread polls, if it is one on this server.
    pub(crate) fn here(news: &Arc<RunNews>) -> Option<Arc<Self>> {
        let starting = POLLED.with_borrow(Clone::clone)?;
        Arc::ptr_eq(&starting.news, news).then_some(starting)
    }

    /// The principal on whose behalf the parent runs.
    pub(crate) fn principal(&self) -> Principal {
        Principal::new(self.origin.principal.clone())
    }

    /// Traces the child with its parent, unless the closure has named another trace.
    pub(crate) fn trace(&self, origin: &mut Origin) {
        if origin.trace_parent.is_empty() {
            origin.trace_parent.clone_from(&self.origin.trace_parent);
            origin.trace_state.clone_from(&self.origin.trace_state);
        }
    }

    /// The parent, for the one operation that the closure starts.
    pub(crate) fn take(&self) -> Result<ChildOf, Status> {
        let mut child_of = self.child_of.lock().unwrap_or_else(PoisonError::into_inner);
        child_of.take().ok_or_else(|| {
            let fault = self
                .fault
                .get_or_init(|| fault::second_child(self.parent.as_str()));
            fault.clone()
        })
    }

    pub(crate) fn started(&self, record: &OperationRecord) {
        let _ = self.started.set(Child {
            name: record.name.clone(),
            uid: record.uid,
            is_left: false,
            is_cancelled: false,
        });
    }
}

/// Hands the next start to the closure that makes it.
#[derive(Default)]
pub(super) struct Slot(Mutex<Option<Arc<Starting>>>);

impl Slot {
    pub(super) fn set(&self, starting: Arc<Starting>) {
        *self.lock() = Some(starting);
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
