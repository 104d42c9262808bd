//! Rules of `google.api.http`, and the bindings that are compiled from them.

mod compile;

use std::fmt;

use http::uri::PathAndQuery;
use lro_core::HttpRoute;
use prost_reflect::{FieldDescriptor, MessageDescriptor};

pub(crate) use compile::{Rules, compile};

/// How an rpc is bound to HTTP: a `google.api.HttpRule`.
///
/// ```
/// use lro_gateway::HttpRule;
///
/// let rule = HttpRule::new("POST", "/v1/{name=depots/*}:close").body("*");
/// # let _ = rule;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRule {
    method: String,
    path: String,
    body: String,
    response_body: String,
    additional: Vec<HttpRule>,
}

impl HttpRule {
    /// A rule for this HTTP method and path template. The method `*` stands for all that have no rule of
    /// their own for the path.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            body: String::new(),
            response_body: String::new(),
            additional: Vec::new(),
        }
    }

    /// The part of the request message that is the HTTP body: `*` for the whole message, or the name of a
    /// field. By default there is no body.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// The field of the response message that is the HTTP body. By default it is the whole message.
    #[must_use]
    pub fn response_body(mut self, field: impl Into<String>) -> Self {
        self.response_body = field.into();
        self
    }

    /// Adds another binding of the same rpc.
    #[must_use]
    pub fn additional_binding(mut self, rule: HttpRule) -> Self {
        self.additional.push(rule);
        self
    }
}

/// A rule or a descriptor that the gateway cannot serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(String);

impl BuildError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// An rpc that HTTP reaches.
#[derive(Clone)]
pub(crate) struct Rpc {
    /// The path of its gRPC calls: `/depot.v1.Depot/GetParcel`.
    pub(crate) path: PathAndQuery,
    pub(crate) input: MessageDescriptor,
    pub(crate) output: MessageDescriptor,
    pub(crate) server_streaming: bool,
}

/// One binding of an rpc.
#[derive(Clone)]
pub(crate) struct Binding {
    pub(crate) rpc: Rpc,
    /// The method and the template, for messages.
    pub(crate) text: String,
    /// The template, for metrics and traces.
    pub(crate) route: HttpRoute,
    pub(crate) variables: Vec<Capture>,
    pub(crate) body: Body,
    pub(crate) response_body: Option<FieldDescriptor>,
    /// The answer is a stream of the operation's states.
    pub(crate) is_watch: bool,
}

// Descriptors of recursive messages cannot be formatted for debugging.
impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("rpc", &self.rpc.path)
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

/// A variable with its field.
#[derive(Clone)]
pub(crate) struct Capture {
    /// The field, and the messages on the way to it.
    pub(crate) field: Vec<FieldDescriptor>,
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) multi: bool,
}

/// The part of a request message that is the HTTP body.
#[derive(Clone)]
pub(crate) enum Body {
    None,
    Message,
    Field(FieldDescriptor),
}
