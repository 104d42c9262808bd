//! Where operations come from: what the pages ask, whatever stands behind them.

#[cfg(feature = "server")]
pub(crate) mod server;

use std::fmt;
use std::time::Duration;

use lro_core::store::{OperationRecord, OperationState};
use lro_core::{ListOptions, OperationName, ParentPattern, Timestamp, pb};
use tonic::{Code, Request, Status};

/// A visitor: the headers and extensions of the HTTP request, as the authorizer reads them.
pub(crate) type Visitor = Request<()>;

/// The operations that a console shows.
///
/// Each call carries its visitor, and needs the permission that the same call of
/// `google.longrunning.Operations` needs.
#[async_trait::async_trait]
pub(crate) trait Source: fmt::Debug + Send + Sync + 'static {
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

    /// Whether the visitor may do this. The error says why not.
    async fn permit(&self, visitor: &Visitor, action: Action, view: &View) -> Result<(), Status>;

    /// Does it.
    async fn act(
        &self,
        visitor: &Visitor,
        action: Action,
        name: &OperationName,
    ) -> Result<(), Status>;

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
    pub(crate) record: Option<OperationRecord>,
}

impl View {
    pub(crate) fn name(&self) -> &str {
        &self.operation.name
    }

    /// Where it stands. Without a record, an unfinished operation counts as running.
    pub(crate) fn state(&self) -> OperationState {
        use pb::operation::Result;
        match (&self.record, &self.operation.result) {
            (Some(record), _) => record.state,
            (None, _) if !self.operation.done => OperationState::Running,
            (None, Some(Result::Error(error))) if error.code == Code::Cancelled as i32 => {
                OperationState::Cancelled
            }
            (None, Some(Result::Error(_))) => OperationState::Failed,
            (None, _) => OperationState::Succeeded,
        }
    }

    /// Identifies the operation even when another one gets its name; empty where unknown.
    pub(crate) fn uid(&self) -> String {
        let record = self.record.as_ref();
        record.map_or(String::new(), |record| record.uid.simple().to_string())
    }

    /// How often its visible part was written; 0 where unknown.
    pub(crate) fn revision(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.revision)
    }

    /// How long it has run, or ran.
    pub(crate) fn took(&self, now: Timestamp) -> Option<Duration> {
        let record = self.record.as_ref()?;
        let start = record.start_time?;
        Some(record.end_time.unwrap_or(now).since(start))
    }
}

/// A change that a visitor may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Cancel,
    Delete,
}

impl Action {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "cancel" => Some(Self::Cancel),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }

    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Delete => "delete",
        }
    }

    /// The verb as a label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Cancel => "Cancel",
            Self::Delete => "Delete",
        }
    }

    /// Its effect on an operation in this state; `None` if it changes nothing.
    pub(crate) fn effect(self, state: OperationState) -> Option<&'static str> {
        match (self, state.is_done()) {
            (Self::Cancel, true) => None,
            (Self::Cancel, false) if state == OperationState::Cancelling => None,
            (Self::Cancel, false) => Some("asks its body to stop; the state shows the outcome"),
            (Self::Delete, true) => Some("removes its record and its result"),
            (Self::Delete, false) => {
                Some("hides it at once and does not stop its body; cancel it first to stop it")
            }
        }
    }
}
