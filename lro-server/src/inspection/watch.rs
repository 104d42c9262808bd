//! Streams of records: now, and after each change.

mod target;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, unfold};
use lro_core::inspection as pb;
use lro_core::inspection::RecordView;
use lro_core::{OperationName, Reason};
use prost::Message as _;
use tokio::time::{Instant, sleep_until};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status};

use super::InspectionService;
use super::list::view;
use crate::access::Caller;
use crate::changes::{ChangeSubscription, Changed};
use crate::operations::MaxMessageLen;
use crate::rpc::status::complete;
use target::Target;

const WATCH: &str = "/lro.v1.Inspection/WatchOperations";

/// The shortest time between two looks at the store: changes in between are one message.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// How many names of operations that were sent a watch of a filter remembers, so that it can tell
/// when they match no more. It forgets those that come first in the order of names.
const MAX_REMEMBERED: usize = 10_000;

/// The bytes of a message besides its records.
const MESSAGE_OVERHEAD: usize = 1024;

/// A watch: who asks, for what, and what was sent.
pub(super) struct Watch {
    service: InspectionService,
    headers: MetadataMap,
    extensions: Extensions,
    target: Target,
    view: RecordView,
    max_len: usize,
    changes: ChangeSubscription,
    /// The operations of a filter that the caller knows.
    sent: BTreeSet<OperationName>,
    ready: VecDeque<pb::WatchOperationsResponse>,
    not_before: Instant,
}

impl Watch {
    /// Checks the request, and reads the operations for the first time: what is wrong fails the
    /// call.
    pub(super) async fn begin(
        service: &InspectionService,
        headers: MetadataMap,
        extensions: Extensions,
        request: pb::WatchOperationsRequest,
    ) -> Result<BoxStream<'static, Result<pb::WatchOperationsResponse, Status>>, Status> {
        let view = view(request.view)?;
        let only_changes = request.only_changes;
        let target = Target::of(request)?;
        let changes = service.operations.changes();
        // Following starts before the operations are read: no change in between is missed.
        let changes = match &target {
            Target::Names { open } => changes.follow(open.iter().cloned())?,
            Target::Filter { .. } => changes.follow_all()?,
        };
        let max_len = service.operations.engine().limits().max_page_len;
        let max_message = extensions.get::<MaxMessageLen>();
        let max_len = max_message.map_or(max_len, |MaxMessageLen(max)| *max.min(&max_len));
        let mut watch = Self {
            service: service.clone(),
            headers,
            extensions,
            target,
            view,
            max_len: max_len.saturating_sub(MESSAGE_OVERHEAD),
            changes,
            sent: BTreeSet::new(),
            ready: VecDeque::new(),
            not_before: Instant::now(),
        };
        watch.snapshot(only_changes).await?;
        Ok(unfold(Some(watch), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(Some(message)) => Some((Ok(message), Some(watch))),
                Ok(None) => None,
                Err(status) => Some((Err(complete(status)), None)),
            }
        })
        .boxed())
    }

    /// The next message; none when the watch is over.
    async fn next(&mut self) -> Result<Option<pb::WatchOperationsResponse>, Status> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            if self.target.is_over() {
                return Ok(None);
            }
            sleep_until(self.not_before).await;
            let changed = self.changes.next().await;
            self.not_before = Instant::now() + MIN_INTERVAL;
            match changed {
                Changed::Operations(names) => self.look(&names).await?,
                Changed::Resync => self.snapshot(false).await?,
                Changed::Closing => {
                    let message = "the server shuts down: watch again, to continue elsewhere";
                    return Err(Reason::ShuttingDown.status(message, []));
                }
            }
        }
    }

    fn caller(&self) -> Caller<'_> {
        Caller::new(&self.headers, &self.extensions, WATCH)
    }

    /// Reads all that is watched, unless only changes are wanted; the caller's permission in any
    /// case.
    async fn snapshot(&mut self, only_changes: bool) -> Result<(), Status> {
        let found = match &self.target {
            Target::Names { open } => {
                let names: Vec<_> = open.iter().cloned().collect();
                self.named(&names).await?
            }
            Target::Filter { parent, filter } => self.newest(parent, filter, only_changes).await?,
        };
        self.sent.clear();
        self.send(found, true)
    }

    /// Reads those of these operations that are watched.
    async fn look(&mut self, names: &[OperationName]) -> Result<(), Status> {
        let found = match &self.target {
            Target::Names { .. } => self.named(names).await?,
            Target::Filter { parent, filter } => {
                self.matching(parent, filter, names, &self.sent).await?
            }
        };
        self.send(found, false)
    }

    /// Puts what was found into messages that are not too long.
    fn send(&mut self, found: Found, resync: bool) -> Result<(), Status> {
        let mut message = pb::WatchOperationsResponse {
            resync,
            ..Default::default()
        };
        let mut len = 0;
        for (name, record) in found.records {
            let record_len = record.encoded_len() + 8;
            if record_len > self.max_len {
                return Err(too_long(&name, record_len, self.max_len));
            }
            if len + record_len > self.max_len {
                self.ready.push_back(std::mem::take(&mut message));
                len = 0;
            }
            len += record_len;
            let is_done = record.operation.as_ref().is_some_and(|it| it.done);
            message.operations.push(record);
            self.note(name, is_done);
        }
        for name in found.removed {
            if len + name.as_str().len() + 8 > self.max_len {
                self.ready.push_back(std::mem::take(&mut message));
                len = 0;
            }
            len += name.as_str().len() + 8;
            message.removed.push(name.as_str().to_owned());
            self.sent.remove(&name);
            if let Target::Names { open } = &mut self.target {
                open.remove(&name);
            }
        }
        let is_empty = message.operations.is_empty() && message.removed.is_empty();
        if !is_empty || message.resync {
            self.ready.push_back(message);
        }
        if let Target::Names { open } = &self.target {
            self.changes.set_followed(open.iter().cloned())?;
        }
        Ok(())
    }

    fn note(&mut self, name: OperationName, is_done: bool) {
        match &mut self.target {
            Target::Names { open } if is_done => {
                open.remove(&name);
            }
            Target::Names { .. } => {}
            Target::Filter { .. } => {
                self.sent.insert(name);
                if self.sent.len() > MAX_REMEMBERED {
                    self.sent.pop_first();
                }
            }
        }
    }
}

/// The findings of one look at the store.
#[derive(Default)]
struct Found {
    records: Vec<(OperationName, pb::OperationRecord)>,
    removed: Vec<OperationName>,
}

fn too_long(name: &OperationName, len: usize, max: usize) -> Status {
    let message = format!(
        "the record of `{name}` has {len} bytes, more than the {max} that a message may have; \
         watch with the view SUMMARY, or raise Limits::max_page_len of the server"
    );
    let (len, max) = (len.to_string(), max.to_string());
    let metadata = [
        ("operation", name.as_str()),
        ("length", &*len),
        ("limit", &*max),
    ];
    Reason::LimitExceeded.status(message, metadata)
}
