//! Where operations come from: what the pages ask, whatever stands behind them.

mod record;
#[cfg(feature = "remote")]
pub(crate) mod remote;
#[cfg(feature = "server")]
pub(crate) mod server;

use std::fmt;
use std::time::Duration;

use lro_core::inspection as wire;
use lro_core::store::OperationState;
use lro_core::{ListOptions, OperationName, ParentPattern, Timestamp, pb};
use tonic::{Code, Request, Status};

pub(crate) use record::{Record, span, time};

/// A visitor: the headers and extensions of the HTTP request, as the authorizer reads them.
pub(crate) type Visitor = Request<()>;

/// The metadata key of the reason for an action, in percent-encoded UTF-8.
pub(crate) const REASON: &str = "lro-reason";

/// The abilities of a source, for all visitors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abilities {
    /// Whether it tells records, counts, methods and workers, and resubmits.
    pub(crate) has_inspection: bool,
    /// How often changes are asked for; `None` where they are pushed.
    pub(crate) interval: Option<Duration>,
}

/// The operations that a console shows.
///
/// Each call carries its visitor, and needs the permission that the same call of
/// `google.longrunning.Operations` needs.
#[async_trait::async_trait]
pub(crate) trait Source: fmt::Debug + Send + Sync + 'static {
    /// Its abilities, for all visitors.
    fn abilities(&self) -> Abilities;

    /// The name of the visitor, empty for anonymous ones. An error is one of authentication.
    async fn principal(&self, visitor: &Visitor) -> Result<String, Status>;

    /// One page, newest first.
    async fn list(
        &self,
        visitor: &Visitor,
        parent: ParentPattern,
        options: &ListOptions,
    ) -> Result<Page, Status>;

    /// One operation, with what the source knows of it.
    async fn get(&self, visitor: &Visitor, name: &OperationName) -> Result<View, Status>;

    /// One operation, and what the visitor may do to it.
    async fn describe(
        &self,
        visitor: &Visitor,
        name: &OperationName,
    ) -> Result<(View, Permits), Status>;

    /// The recorded steps of an operation, at most [`MAX_STEPS`], without their values; `None` where the server
    /// has no service that tells them.
    async fn steps(
        &self,
        visitor: &Visitor,
        name: &OperationName,
    ) -> Result<Option<wire::ListStepsResponse>, Status>;

    /// Changes steps, or completes a promise.
    async fn change_steps(&self, visitor: &Visitor, change: StepChange) -> Result<(), Status>;

    /// How many operations there are below a parent, by state and method: within a bound, and some
    /// seconds old at most.
    async fn counts(
        &self,
        visitor: &Visitor,
        parent: &ParentPattern,
        filter: &str,
    ) -> Result<wire::CountOperationsResponse, Status>;

    /// The methods of the process that answers, for operators.
    async fn methods(&self, visitor: &Visitor) -> Result<Vec<wire::Method>, Status>;

    /// The workers of the process that answers, for operators.
    async fn workers(&self, visitor: &Visitor) -> Result<wire::ListWorkersResponse, Status>;

    /// The latest past of a method, for operators; `None` if there is none. It costs the store nothing.
    async fn history(
        &self,
        visitor: &Visitor,
        method: &str,
    ) -> Result<Option<wire::MethodHistory>, Status>;

    /// Does what a visitor asks for. The name is that of a new operation, if there is one.
    async fn act(&self, visitor: &Visitor, act: &Act<'_>) -> Result<Option<String>, Status>;

    /// Signals of changes from now on: of these operations, or of all.
    fn follow(&self, followed: Followed) -> Result<Box<dyn Signals>, Status>;

    /// The present time of the clock that has set the times of the operations.
    fn now(&self) -> Timestamp;
}

/// The operations that a stream of signals is about.
#[derive(Clone, Debug)]
pub(crate) enum Followed {
    Names(Vec<OperationName>),
    All,
}

/// Signals of changes.
#[async_trait::async_trait]
pub(crate) trait Signals: Send + 'static {
    /// The next one. Safe to drop.
    async fn next(&mut self) -> Signal;
}

/// A signal of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// These operations have changed, started or disappeared.
    Changed(Vec<OperationName>),
    /// Any may have changed.
    Resync,
    /// The server shuts down.
    #[cfg_attr(
        not(feature = "server"),
        expect(dead_code, reason = "a server elsewhere ends its stream")
    )]
    Closing,
}

/// A page of a list.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) views: Vec<View>,
    /// Empty at the end of the list.
    pub(crate) next_page_token: String,
}

/// An operation with what the source knows of it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) operation: pb::Operation,
    /// The facts that the standard has no field for; `None` where the server does not tell.
    pub(crate) record: Option<Record>,
}

impl View {
    /// An operation with its record.
    pub(crate) fn of(record: wire::OperationRecord) -> Self {
        let (operation, record) = Record::split(record);
        let record = Some(record);
        Self { operation, record }
    }

    /// An operation of a server that tells what the standard has.
    pub(crate) fn standard(operation: pb::Operation) -> Self {
        let record = None;
        Self { operation, record }
    }

    pub(crate) fn name(&self) -> &str {
        &self.operation.name
    }

    /// Where it stands. Without a record, an unfinished operation counts as running.
    pub(crate) fn state(&self) -> OperationState {
        use pb::operation::Result;
        if let Some(state) = self.record.as_ref().and_then(Record::state) {
            return state;
        }
        match &self.operation.result {
            _ if !self.operation.done => OperationState::Running,
            Some(Result::Error(error)) if error.code == Code::Cancelled as i32 => {
                OperationState::Cancelled
            }
            Some(Result::Error(_)) => OperationState::Failed,
            _ => OperationState::Succeeded,
        }
    }

    /// Identifies the operation even when another one gets its name; empty where unknown.
    pub(crate) fn uid(&self) -> &str {
        self.record.as_ref().map_or("", |record| &record.wire().uid)
    }

    /// How often its visible part was written; 0 where unknown.
    pub(crate) fn revision(&self) -> u64 {
        self.record.as_ref().map_or(0, Record::revision)
    }

    /// How long it has run, or ran.
    pub(crate) fn took(&self, now: Timestamp) -> Option<Duration> {
        let record = self.record.as_ref()?;
        let start = record.start_time()?;
        Some(record.end_time().unwrap_or(now).since(start))
    }
}

/// Whether a visitor may do each action to an operation, whatever its state. The errors say why not.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    pub(crate) cancel: Result<(), Status>,
    pub(crate) delete: Result<(), Status>,
    pub(crate) resubmit: Result<(), Status>,
    /// Promises.
    pub(crate) complete: Result<(), Status>,
    /// To forget steps, and to unblock.
    pub(crate) repair: Result<(), Status>,
}

/// The most steps that a page shows.
pub(crate) const MAX_STEPS: i32 = 1_000;

/// A change of steps that a visitor asks for.
#[derive(Clone, Debug)]
pub(crate) enum StepChange {
    Complete(wire::CompletePromiseRequest),
    Forget(wire::ForgetStepsRequest),
    Unblock(wire::UnblockRequest),
}

/// The request for the steps of a page.
pub(crate) fn list_steps(name: &OperationName) -> wire::ListStepsRequest {
    wire::ListStepsRequest {
        name: name.as_str().to_owned(),
        page_size: MAX_STEPS,
        ..Default::default()
    }
}

impl Permits {
    pub(crate) fn of(&self, action: Action) -> &Result<(), Status> {
        match action {
            Action::Cancel => &self.cancel,
            Action::Delete => &self.delete,
            Action::Resubmit => &self.resubmit,
        }
    }
}

/// A change that a visitor has confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Act<'a> {
    pub(crate) action: Action,
    pub(crate) name: &'a OperationName,
    /// Identifies the request: a resubmission that comes twice starts one operation.
    pub(crate) request_id: String,
}

/// A change that a visitor may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Cancel,
    Resubmit,
    Delete,
}

impl Action {
    pub(crate) const ALL: [Self; 3] = [Self::Cancel, Self::Resubmit, Self::Delete];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.verb() == text)
    }

    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Resubmit => "resubmit",
            Self::Delete => "delete",
        }
    }

    /// The verb as a label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Cancel => "Cancel",
            Self::Resubmit => "Resubmit",
            Self::Delete => "Delete",
        }
    }

    /// Its effect on an operation in this state, or why it has none.
    pub(crate) fn effect(self, state: OperationState) -> Result<&'static str, &'static str> {
        match (self, state.is_done()) {
            (Self::Cancel, true) => Err("It has ended."),
            (Self::Cancel, false) if state == OperationState::Cancelling => {
                Err("Its cancellation was already asked for.")
            }
            (Self::Cancel, false) if state == OperationState::Pending => {
                Ok("cancelled at once, as no worker runs it")
            }
            (Self::Cancel, false) => Ok("asked to stop; it may finish before it does"),
            (Self::Resubmit, true) => Ok("started again as a new operation with the same request"),
            (Self::Resubmit, false) => Err("It has not ended."),
            (Self::Delete, true) => Ok("removed, with the result"),
            (Self::Delete, false) => {
                Ok("hidden at once, but not stopped: cancel first to stop the body")
            }
        }
    }
}
