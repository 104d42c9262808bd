//! Streams of messages as JSON.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use lro_core::UnknownTypes;
use prost_reflect::{DescriptorPool, DynamicMessage};
use tokio::time::Instant;
use tonic::{Status, Streaming};

use crate::body::{Body, BodyError};
use crate::fault::Fault;
use crate::headers;
use crate::media_type;
use crate::reply::Writer;
use crate::rules::Binding;
use crate::system::SystemParameters;

/// The pause after which a comment keeps a stream of events alive.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// How messages are put behind each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// One JSON array.
    Array,
    /// A line a message.
    Lines,
    /// Server-sent events.
    Events,
}

impl Framing {
    /// The framing that the client asks for; an array by default.
    pub(crate) fn of(headers: &HeaderMap, system: &SystemParameters) -> Self {
        if system.sse {
            return Self::Events;
        }
        let accepted = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut best = (Self::Array, 0.0);
        for range in accepted.flat_map(|value| value.split(',')) {
            let Some(framing) = Self::of_media_type(range) else {
                continue;
            };
            // The first of equal ones wins.
            let quality = media_type::quality(range);
            if quality > best.1 {
                best = (framing, quality);
            }
        }
        best.0
    }

    fn of_media_type(range: &str) -> Option<Self> {
        let media_type = range.split(';').next().unwrap_or_default().trim();
        match &*media_type.to_ascii_lowercase() {
            "application/json" => Some(Self::Array),
            "application/x-ndjson" | "application/jsonl" => Some(Self::Lines),
            "text/event-stream" => Some(Self::Events),
            _ => None,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Array => "application/json; charset=utf-8",
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    fn message(self, json: &str, is_first: bool) -> String {
        match self {
            Self::Array if is_first => format!("[{json}"),
            Self::Array => format!(",{json}"),
            Self::Lines => format!("{json}\n"),
            Self::Events => event(json),
        }
    }

    /// A last error. An array stays open, so that no reader takes it for whole.
    fn error(self, json: &str, is_first: bool) -> String {
        match self {
            Self::Events => format!("event: error\n{}", event(json)),
            _ => self.message(json, is_first),
        }
    }

    fn end(self, is_empty: bool) -> &'static str {
        match self {
            Self::Array if is_empty => "[]",
            Self::Array => "]",
            Self::Lines | Self::Events => "",
        }
    }
}

/// An event of this data. Each of its lines is one of the event's.
pub(crate) fn event(json: &str) -> String {
    let mut event = String::new();
    for line in json.split('\n') {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event
}

/// A stream of messages under way, with the settings of its answer.
pub(crate) struct Streamed {
    pub(crate) types: DescriptorPool,
    pub(crate) default_values: bool,
    pub(crate) system: SystemParameters,
    pub(crate) binding: Arc<Binding>,
    pub(crate) framing: Framing,
    pub(crate) deadline: Option<Instant>,
    /// Whether the client takes trailers.
    pub(crate) takes_trailers: bool,
    pub(crate) unknown_types: Option<UnknownTypes>,
}

impl Streamed {
    /// The response. Its head waits for the first message, so that an error before it has its status.
    pub(crate) async fn response(
        self,
        mut messages: Streaming<DynamicMessage>,
    ) -> Result<Response<Body>, Fault> {
        let first = self.next(&mut messages).await?;
        let first = match first {
            Some(message) => Some(self.json(&message)?),
            None => None,
        };
        let framing = self.framing;
        let mut response = match first {
            None => {
                let trailers = self.trailers(&mut messages).await;
                let response = Response::new(Body::full(framing.end(true)));
                headers::with_trailers(response, trailers)
            }
            Some(first) => Response::new(Body::stream(self.frames(first, messages))),
        };
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(framing.content_type()),
        );
        if framing == Framing::Events {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        Ok(response)
    }

    async fn next(
        &self,
        messages: &mut Streaming<DynamicMessage>,
    ) -> Result<Option<DynamicMessage>, Fault> {
        let next = messages.message();
        let next = match self.deadline {
            Some(deadline) => match tokio::time::timeout_at(deadline, next).await {
                Ok(next) => next,
                Err(_) => return Err(Fault::deadline()),
            },
            None => next.await,
        };
        Ok(next?)
    }

    /// The trailing metadata of a stream that has ended, if the client takes it.
    async fn trailers(&self, messages: &mut Streaming<DynamicMessage>) -> HeaderMap {
        if !self.takes_trailers {
            return HeaderMap::new();
        }
        // An error of the stream has been its last item.
        let metadata = messages.trailers().await.ok().flatten();
        metadata.map(headers::to_trailers).unwrap_or_default()
    }

    fn json(&self, message: &DynamicMessage) -> Result<String, Fault> {
        let writer = Writer {
            types: &self.types,
            default_values: self.default_values,
            system: &self.system,
            binding: &self.binding,
            poll_hint: None,
            unknown_types: self.unknown_types.as_ref(),
        };
        writer.json(message)
    }

    /// The next part of an open stream.
    async fn following(&self, messages: &mut Streaming<DynamicMessage>) -> (String, State) {
        let next = self.next(messages);
        let next = if self.framing == Framing::Events {
            match tokio::time::timeout(HEARTBEAT, next).await {
                Ok(next) => next,
                // No message is lost by this: the stream keeps what it has read of one.
                Err(_) => return (": still here\n\n".to_owned(), State::Open),
            }
        } else {
            next.await
        };
        match next.and_then(|message| message.map(|message| self.json(&message)).transpose()) {
            Ok(Some(json)) => (self.framing.message(&json, false), State::Open),
            Ok(None) => {
                let trailers = self.trailers(messages).await;
                (self.framing.end(false).to_owned(), State::Ended(trailers))
            }
            Err(fault) => {
                let error = self.framing.error(&fault.json(&self.types), false);
                let state = if self.framing == Framing::Array {
                    State::Abort
                } else if self.takes_trailers {
                    State::Ended(fault.trailers())
                } else {
                    State::Closed
                };
                (error, state)
            }
        }
    }

    fn frames(
        self,
        first: String,
        messages: Streaming<DynamicMessage>,
    ) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, BodyError>> + Send {
        let state = State::Message(first);
        stream::unfold(
            (self, messages, state),
            |(this, mut messages, state)| async move {
                let (part, state) = match state {
                    State::Message(json) => (this.framing.message(&json, true), State::Open),
                    State::Open => this.following(&mut messages).await,
                    State::Ended(trailers) if trailers.is_empty() => return None,
                    State::Ended(trailers) => {
                        let frame = Ok(Frame::trailers(trailers));
                        return Some((frame, (this, messages, State::Closed)));
                    }
                    State::Abort => {
                        // The connection sends its buffer when it waits, and drops it when it aborts.
                        tokio::task::yield_now().await;
                        let error = Status::aborted("the stream ended with an error");
                        let frame = Err(BodyError::new(error));
                        return Some((frame, (this, messages, State::Closed)));
                    }
                    State::Closed => return None,
                };
                let frame = Ok(Frame::data(Bytes::from(part)));
                Some((frame, (this, messages, state)))
            },
        )
    }
}

/// Where a stream stands.
enum State {
    /// The first message is written next.
    Message(String),
    Open,
    /// The trailers are sent next, if there are any.
    Ended(HeaderMap),
    /// The transfer is aborted next.
    Abort,
    Closed,
}
