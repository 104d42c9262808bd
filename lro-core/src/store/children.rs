//! Children: operations that a step of another operation has started and waits for.

use prost::Message as _;
use uuid::Uuid;

use super::history::Actor;
use super::record::{OperationRecord, OperationResult};
use super::steps::{StepKey, StepOutcome, StepWrite};
use super::update::Update;
use super::{Command, Refusal};
use crate::name::OperationName;
use crate::reason::Reason;

/// The step of another operation that has started this one, and finishes when this one ends.
///
/// ```
/// use lro_core::store::ParentStep;
///
/// let step = ParentStep {
///     operation: "operations/1".parse()?,
///     uid: uuid::Uuid::nil(),
///     key: "insert-disk".parse()?,
/// };
/// assert_eq!(ParentStep::decode(&step.encode()), Some(step));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentStep {
    /// The name of the parent operation.
    pub operation: OperationName,
    /// Its identity.
    pub uid: Uuid,
    /// The step.
    pub key: StepKey,
}

/// The child of a step: the operation that the step has started, and waits for.
///
/// ```
/// use lro_core::store::Child;
///
/// let child = Child { name: "operations/2".parse()?, uid: uuid::Uuid::nil(), is_left: false, is_cancelled: false };
/// assert_eq!(Child::decode(&child.encode()), Some(child));
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its name.
    pub name: OperationName,
    /// Its identity.
    pub uid: Uuid,
    /// Whether it continues when its parent is cancelled or loses interest.
    pub is_left: bool,
    /// Whether its parent has cancelled it, and waits for its end.
    pub is_cancelled: bool,
}

/// The parent of an operation to be started: the start records the child as a step of the parent, in the same
/// commit.
///
/// ```
/// use lro_core::pack;
/// use lro_core::store::{ChildOf, NewOperation, StepKind, StepWrite};
///
/// let mut child = NewOperation::new(uuid::Uuid::now_v7(), "operations/2".parse()?, "/d.v1.Disks/Insert", pack(&()));
/// child.child_of = Some(Box::new(ChildOf {
///     operation: "operations/1".parse()?,
///     uid: uuid::Uuid::nil(),
///     fence: 1,
///     step: StepWrite::begun("insert-disk".parse()?, StepKind::Child),
///     is_left: false,
/// }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ChildOf {
    /// The name of the parent.
    pub operation: OperationName,
    /// Its identity.
    pub uid: Uuid,
    /// The claim of the run that starts the child. A run that does not hold the parent any more starts nothing.
    pub fence: u64,
    /// The step, of a [kind with children](super::StepKind::is_child), without outcome. The store adds the child.
    pub step: StepWrite,
    /// Whether the child continues when its parent is cancelled or loses interest.
    pub is_left: bool,
}

impl ChildOf {
    /// The step, as the child's record keeps it.
    pub fn parent_step(&self) -> ParentStep {
        ParentStep {
            operation: self.operation.clone(),
            uid: self.uid,
            key: self.step.key.clone(),
        }
    }

    /// The command that records the child's step in its parent: a store applies it in the commit that stores the
    /// child. A child that is done already finishes its step.
    ///
    /// ```
    /// use lro_core::{Timestamp, pack};
    /// use lro_core::store::{ChildOf, Command, NewOperation, OperationRecord, StepKind, StepWrite};
    ///
    /// let child = NewOperation::new(uuid::Uuid::now_v7(), "operations/2".parse()?, "/d.v1.Disks/Insert", pack(&()));
    /// let child_of = ChildOf {
    ///     operation: "operations/1".parse()?,
    ///     uid: uuid::Uuid::nil(),
    ///     fence: 1,
    ///     step: StepWrite::begun("insert-disk".parse()?, StepKind::Child),
    ///     is_left: false,
    /// };
    /// let update = child_of.record(&OperationRecord::new(child, Timestamp::EPOCH));
    /// assert!(matches!(update.command, Command::StartChild { fence: 1 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn record(self, child: &OperationRecord) -> Update {
        let step = StepWrite {
            child: Some(Box::new(Child {
                name: child.name.clone(),
                uid: child.uid,
                is_left: self.is_left,
                is_cancelled: false,
            })),
            outcome: child.outcome_for_parent(),
            ..self.step
        };
        let fence = self.fence;
        Update::by_uid(self.operation, self.uid, Command::StartChild { fence })
            .with_steps(vec![step])
    }
}

impl OperationRecord {
    /// The update that a store applies to the parent in the commit that has changed this operation: the end of the step that
    /// waits for it. `None` unless it has a parent, and has ended or was deleted.
    ///
    /// The parent may have no use for it, which is [`Change::Nothing`](super::Change::Nothing); a parent that is
    /// missing does not hinder the child.
    ///
    /// ```
    /// use lro_core::{Timestamp, pack};
    /// use lro_core::store::{Command, NewOperation, OperationRecord};
    ///
    /// let new = NewOperation::new(uuid::Uuid::nil(), "operations/1".parse()?, "/s.S/M", pack(&()));
    /// let mut record = OperationRecord::new(new, Timestamp::EPOCH);
    /// record.apply(Command::cancel(), Timestamp::EPOCH)?;
    /// assert_eq!(record.tells_parent(), None); // It has no parent.
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tells_parent(&self) -> Option<Update> {
        let parent = self.parent_step.as_deref()?;
        let command = Command::EndChild {
            key: parent.key.clone(),
            child: self.uid,
            outcome: self.outcome_for_parent()?,
        };
        Some(Update::by_uid(
            parent.operation.clone(),
            parent.uid,
            command,
        ))
    }

    /// The command with which it cancels one of its children.
    ///
    /// ```
    /// use lro_core::{Timestamp, pack};
    /// use lro_core::store::{Command, NewOperation, OperationRecord};
    ///
    /// let new = NewOperation::new(uuid::Uuid::nil(), "operations/1".parse()?, "/s.S/M", pack(&()));
    /// let Command::Cancel(actor) = OperationRecord::new(new, Timestamp::EPOCH).cancel_of_child() else {
    ///     unreachable!()
    /// };
    /// assert_eq!(actor.reason, "by its parent `operations/1`");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_of_child(&self) -> Command {
        let mut reason = format!("by its parent `{}`", self.name);
        while reason.len() > Actor::MAX_REASON_LEN {
            reason.pop();
        }
        Command::Cancel(Actor {
            principal: self.origin.principal.clone(),
            reason,
        })
    }

    /// The end of the step that waits for it.
    fn outcome_for_parent(&self) -> Option<StepOutcome> {
        match &self.result {
            Some(OperationResult::Response(response)) => {
                Some(StepOutcome::Response(response.clone()))
            }
            Some(OperationResult::Error(error)) => Some(StepOutcome::Error(error.clone())),
            None if !self.is_visible() => {
                let message = format!("the operation `{}` was deleted before its end", self.name);
                let error = Reason::OperationNotFound.operation_error(message, []);
                Some(StepOutcome::Error(error))
            }
            None => None,
        }
    }

    /// Whether it is the child of this step.
    pub fn is_child_of(&self, parent: &ParentStep) -> bool {
        self.parent_step.as_deref() == Some(parent)
    }
}

/// The reason why the start of a child created no operation; the parent did not change.
///
/// ```
/// use lro_core::store::{ChildRefusal, Refusal};
///
/// let refusal = ChildRefusal::Parent(Refusal::Stale);
/// assert!(refusal.to_string().contains("claimed by another worker"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ChildRefusal {
    /// The parent does not take the child.
    #[error("the operation that starts it refuses a child: {0}")]
    Parent(Refusal),
    /// An operation with the request id exists, and is not the child of this step.
    #[error("operation `{0}` has the same request id, and is not the child of this step")]
    NotItsChild(OperationName),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Stored {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    uid: Vec<u8>,
    #[prost(string, tag = "3")]
    key: String,
    #[prost(bool, tag = "4")]
    is_left: bool,
    #[prost(bool, tag = "5")]
    is_cancelled: bool,
}

impl Stored {
    fn identity(&self) -> Option<(OperationName, Uuid)> {
        let name = self.name.parse().ok()?;
        Some((name, Uuid::from_slice(&self.uid).ok()?))
    }
}

impl ParentStep {
    /// The step as bytes that stores keep.
    pub fn encode(&self) -> Vec<u8> {
        let stored = Stored {
            name: self.operation.as_str().to_owned(),
            uid: self.uid.as_bytes().to_vec(),
            key: self.key.as_str().to_owned(),
            ..Stored::default()
        };
        stored.encode_to_vec()
    }

    /// The step of stored bytes; `None` when they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let stored = Stored::decode(bytes).ok()?;
        let (operation, uid) = stored.identity()?;
        let key = stored.key.parse().ok()?;
        Some(Self {
            operation,
            uid,
            key,
        })
    }
}

impl Child {
    /// The child as bytes that stores keep.
    pub fn encode(&self) -> Vec<u8> {
        let stored = Stored {
            name: self.name.as_str().to_owned(),
            uid: self.uid.as_bytes().to_vec(),
            is_left: self.is_left,
            is_cancelled: self.is_cancelled,
            ..Stored::default()
        };
        stored.encode_to_vec()
    }

    /// The child of stored bytes; `None` when they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let stored = Stored::decode(bytes).ok()?;
        let (name, uid) = stored.identity()?;
        Some(Self {
            name,
            uid,
            is_left: stored.is_left,
            is_cancelled: stored.is_cancelled,
        })
    }
}
