//! Watches: an operation as server-sent events, pushed when it changes.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::Frame;
use lro_core::OperationName;
use lro_core::changes::{ChangeSignal, OperationChanges, Signal};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;

use crate::body::Body;
use crate::call::{Answer, Limits};
use crate::fault::Fault;
use crate::gateway::Shared;
use crate::reply::{GET_OPERATION, Writer, entity_tag, is_done};
use crate::rules::Binding;
use crate::stream::{Framing, HEARTBEAT, event};
use crate::system::SystemParameters;

/// The pause before a client connects again, in the field `retry` of the stream.
const RETRY: &str = "retry: 2000\n\n";

/// The last event of a stream that ends before its operation.
const BYE: &str = "event: bye\ndata: {}\n\n";

/// The longest time without a read: a caller whose permission has ended is found by it.
const READ_INTERVAL: Duration = Duration::from_secs(60);

/// The shortest and the longest pause between two reads without signals of changes.
const POLL_INTERVALS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// Longer than a process lives, and short enough to be added to any time.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The request that a watch repeats.
pub(crate) struct Watched {
    pub(crate) shared: Arc<Shared>,
    pub(crate) binding: Arc<Binding>,
    pub(crate) system: SystemParameters,
    pub(crate) metadata: MetadataMap,
    pub(crate) extensions: Extensions,
    /// The end that the client gives by its deadline.
    pub(crate) deadline: Option<Instant>,
}

/// A watch under way.
struct Watch {
    request: Watched,
    /// The encoded request message: less memory than the message.
    message: Bytes,
    signal: Option<Box<dyn ChangeSignal>>,
    /// The tag of the operation as the client has it.
    tag: String,
    poll_interval: Duration,
    read: Instant,
    sent: Instant,
    over: Instant,
    is_open: bool,
}

/// The operation as it was read.
struct Read {
    json: String,
    tag: String,
    is_done: bool,
}

/// Whether a client wants events of the operation that it gets.
pub(crate) fn asks_to_watch(binding: &Binding, method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET
        && binding.rpc.path.as_str() == GET_OPERATION
        && Framing::of(headers, &SystemParameters::default()) == Framing::Events
}

impl Watched {
    /// The response. Its head waits for the first read, so that an error has its status.
    pub(crate) async fn response(
        self,
        message: &DynamicMessage,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Fault> {
        // Signals begin before the first read: no change in between is missed.
        let signal = self.follow(message)?;
        let now = Instant::now();
        let longest = now.checked_add(self.shared.settings.max_watch);
        let longest = longest.unwrap_or(now + NEVER);
        let mut watch = Watch {
            message: message.encode_to_vec().into(),
            signal,
            tag: String::new(),
            poll_interval: POLL_INTERVALS[0],
            read: now,
            sent: now,
            over: self
                .deadline
                .map_or(longest, |deadline| deadline.min(longest)),
            is_open: true,
            request: self,
        };
        let read = watch.read().await?;
        let known = headers.get("last-event-id");
        let is_known = known.is_some_and(|known| known.as_bytes() == read.tag.as_bytes());
        if is_known && read.is_done {
            // The client has the end: without content, an EventSource does not connect again.
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            return Ok(response);
        }
        let first = if is_known {
            watch.tag = read.tag;
            RETRY.to_owned()
        } else {
            format!("{RETRY}{}", watch.event(read))
        };
        let mut response = Response::new(Body::stream(watch.parts(first)));
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_TYPE, "text/event-stream"),
            (CACHE_CONTROL, "no-store, no-transform"),
            // Proxies that buffer would hold events back.
            (HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Ok(response)
    }

    fn follow(&self, message: &DynamicMessage) -> Result<Option<Box<dyn ChangeSignal>>, Fault> {
        let Some(changes) = self.extensions.get::<OperationChanges>() else {
            return Ok(None);
        };
        let name = message.get_field_by_name("name");
        let name = name.as_deref().and_then(|name| name.as_str());
        // A name that is none gets its error from the rpc.
        let Some(name) = name.and_then(|name| name.parse::<OperationName>().ok()) else {
            return Ok(None);
        };
        match changes.follow(&name) {
            Some(signal) => Ok(Some(signal)),
            None => Err(Fault::too_many_watches()),
        }
    }
}

impl Watch {
    /// Reads the operation, with the headers of the caller and so with its permission.
    async fn read(&mut self) -> Result<Read, Fault> {
        let Watched {
            shared,
            binding,
            system,
            ..
        } = &self.request;
        let input = binding.rpc.input.clone();
        let message = DynamicMessage::decode(input, self.message.clone())
            .map_err(|_| Fault::malformed("the request cannot be repeated"))?;
        let timeout = shared.settings.max_timeout;
        let limits = Limits {
            max_response: shared.settings.max_response,
            timeout,
        };
        let metadata = self.request.metadata.clone();
        let extensions = self.request.extensions.clone();
        let call = shared
            .backend
            .call(&binding.rpc, message, metadata, extensions, limits);
        let answer = match timeout {
            None => call.await,
            Some(timeout) => match tokio::time::timeout(timeout, call).await {
                Ok(answer) => answer,
                Err(_) => return Err(Fault::deadline()),
            },
        };
        self.read = Instant::now();
        let (_, Answer::Message(message, _), _) = answer?.into_parts() else {
            return Err(Fault::malformed("the operation is a stream"));
        };
        let writer = Writer {
            types: &shared.types,
            default_values: shared.settings.default_values,
            system,
            binding,
            poll_hint: None,
            unknown_types: self.request.extensions.get(),
        };
        let json = writer.json(&message)?;
        let tag = entity_tag(&json).trim_matches('"').to_owned();
        let is_done = is_done(&message);
        Ok(Read { json, tag, is_done })
    }

    /// The event of the operation, which is the last one if the operation is done.
    fn event(&mut self, read: Read) -> String {
        let event = format!("event: operation\nid: {}\n{}", read.tag, event(&read.json));
        self.tag = read.tag;
        self.is_open = !read.is_done;
        event
    }

    /// The next part of the stream.
    async fn next(&mut self) -> String {
        let part = self.wait_for_part().await;
        self.sent = Instant::now();
        part
    }

    async fn wait_for_part(&mut self) -> String {
        loop {
            let interval = match &self.signal {
                Some(_) => READ_INTERVAL,
                None => self.poll_interval,
            };
            let wake = (self.sent + HEARTBEAT)
                .min(self.read + interval)
                .min(self.over);
            let signal = async {
                match &mut self.signal {
                    Some(signal) => poll_fn(|cx| signal.poll_signal(cx)).await,
                    None => std::future::pending().await,
                }
            };
            let signal = tokio::time::timeout_at(wake, signal).await;
            let now = Instant::now();
            let is_over = now >= self.over || matches!(signal, Ok(Signal::Closing));
            if signal.is_err() && !is_over && now < self.read + interval {
                return ": still here\n\n".to_owned();
            }
            let event = match Box::pin(self.read()).await {
                Ok(read) if read.tag == self.tag => None,
                Ok(read) => Some(self.event(read)),
                Err(fault) => {
                    self.is_open = false;
                    let json = fault.json(&self.request.shared.types);
                    return format!("event: error\n{}", event(&json));
                }
            };
            self.poll_interval = match event {
                Some(_) => POLL_INTERVALS[0],
                None => (self.poll_interval * 2).min(POLL_INTERVALS[1]),
            };
            match event {
                Some(event) if is_over && self.is_open => {
                    self.is_open = false;
                    return event + BYE;
                }
                Some(event) => return event,
                None if is_over => {
                    self.is_open = false;
                    return BYE.to_owned();
                }
                None => {}
            }
        }
    }

    fn parts(
        self,
        first: String,
    ) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, crate::body::BodyError>> + Send {
        let state = (Box::new(self), Some(first));
        stream::unfold(state, |(mut watch, first)| async move {
            let part = match first {
                Some(first) => first,
                None if watch.is_open => watch.next().await,
                None => return None,
            };
            Some((Ok(Frame::data(Bytes::from(part))), (watch, None)))
        })
    }
}
