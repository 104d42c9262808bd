use std::collections::BTreeMap;

use lro_core::{ParentName, Timestamp, pack};
use prost::{Message, Name};
use prost_types::Any;

/// The options of one start: the result of the method's `prepare` function.
///
/// ```
/// use lro_server::StartOptions;
///
/// let options = StartOptions::<()>::new()
///     .metadata(())
///     .label("team", "search")
///     .exclusive_key("archives/home");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct StartOptions<M> {
    pub(super) metadata: Option<M>,
    pub(super) choices: Choices,
}

/// The options that are the same for all methods.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    pub(super) parent: Option<ParentName>,
    pub(super) operation_id: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) request_id: Option<String>,
    pub(super) exclusive_key: Option<String>,
    pub(super) start_time: Option<Timestamp>,
    pub(super) principal: String,
    pub(super) response: Option<Any>,
}

impl<M> StartOptions<M> {
    /// The defaults: an operation `operations/{uuid}`, or below the parent that the method names,
    /// without options, which runs immediately.
    pub fn new() -> Self {
        Self {
            metadata: None,
            choices: Choices::default(),
        }
    }

    /// The parent of the operation: its name will be `{parent}/operations/{id}`. It has precedence
    /// over the parent that the method's argument `parent` takes from the request.
    pub fn parent(mut self, parent: ParentName) -> Self {
        self.choices.parent = Some(parent);
        self
    }

    pub(super) fn has_parent(&self) -> bool {
        self.choices.parent.is_some()
    }

    /// The last segment of the operation's name. Without it, a UUID. If the name is used, the call
    /// fails with ALREADY_EXISTS.
    pub fn operation_id(mut self, operation_id: impl Into<String>) -> Self {
        self.choices.operation_id = Some(operation_id.into());
        self
    }

    /// The metadata to begin with.
    pub fn metadata(mut self, metadata: M) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Adds a label.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.choices.labels.insert(key.into(), value.into());
        self
    }

    /// The client's request id (AIP-155). A field `request_id` of the request is used
    /// automatically. A second start of the same method below the same parent with the same id
    /// returns the first operation if the request is equal, and fails with INVALID_ARGUMENT
    /// otherwise. An empty id counts as none.
    ///
    /// `prepare` runs before the id is looked up, so it also rejects a repetition that has become
    /// invalid since. Put a check that must not reject repetitions into the body.
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.choices.request_id = Some(request_id.into()).filter(|id| !id.is_empty());
        self
    }

    /// While the operation has not finished, every other start with this key fails with ABORTED and
    /// names this operation.
    pub fn exclusive_key(mut self, exclusive_key: impl Into<String>) -> Self {
        self.choices.exclusive_key = Some(exclusive_key.into());
        self
    }

    /// Runs the operation at this time, or as soon as possible if it has passed.
    ///
    /// It must lie between the years 2000 and 9999. Other times usually are mistakes of units, such
    /// as milliseconds for microseconds, and the start fails with INVALID_ARGUMENT.
    pub fn start_time(mut self, start_time: Timestamp) -> Self {
        self.choices.start_time = Some(start_time);
        self
    }

    /// The principal that starts it: kept with the operation, for the handler and for authorization.
    /// Default: the principal that the [`Authorizer`](crate::access::Authorizer) has authenticated;
    /// empty without one.
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.choices.principal = principal.into();
        self
    }

    /// A response that is known already: the operation is done from the start, and the body does
    /// not run. It must have the method's response type, or the call fails with INTERNAL.
    pub fn response<R: Message + Name + 'static>(mut self, response: &R) -> Self {
        self.choices.response = Some(pack(response));
        self
    }
}

impl<M> Default for StartOptions<M> {
    fn default() -> Self {
        Self::new()
    }
}
