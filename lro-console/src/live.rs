//! Live updates: one stream of server-sent events for each tab, and the same rows for tabs that poll.
//!
//! A tab follows the operations that it shows, up to 1,000. The names of changed ones are collected in a set, read
//! with the permission of the visitor, and sent at most each 250 ms: a slow tab and a fast operation
//! cost one entry. New operations are only counted.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use lro_core::OperationName;
use tokio::time::{Instant, sleep_until};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::answer;
use crate::page::confirm::{CONCURRENCY, Chosen};
use crate::page::fault::http_status;
use crate::page::operations::Wanted;
use crate::params::Params;
use crate::route::Visit;
use crate::row::Row;
use crate::source::{Followed, Signal, Signals, View};

/// The shortest time between two updates.
const FLUSH_INTERVAL: Duration = Duration::from_millis(250);

/// The shortest time between two counts of new operations: each is a list.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// A stream that is silent for so long says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// After this time the stream ends, and the tab is authorized anew.
const MAX_STREAM: Duration = Duration::from_secs(30 * 60);

/// The pause after an error of the store.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// How many new operations are counted.
const MAX_NEW: i32 = 50;

/// The stream of one tab.
pub(crate) async fn events(visit: Visit, form: &Params) -> Response<Body> {
    let tab = match Tab::open(visit, form).await {
        Ok(tab) => tab,
        Err(status) => return refusal(&status),
    };
    let events = stream::unfold(tab, |mut tab| async move {
        let event = tab.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(event))), tab))
    });
    let mut response = Response::new(Body::new(StreamBody::new(events)));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The rows as they are now, for a tab whose stream does not come through.
pub(crate) async fn rows(visit: &Visit, form: &Params) -> Response<Body> {
    let rows = match Chosen::all(form) {
        Ok(chosen) => {
            let names: BTreeSet<_> = chosen.into_iter().map(|it| it.name).collect();
            updates(visit, &names).await
        }
        Err(status) => Err(status),
    };
    match rows {
        Ok(rows) => {
            let rows: Vec<_> = rows.into_iter().map(|(_, update)| update.json).collect();
            let json = serde_json::Value::from(rows).to_string();
            answer::whole("application/json", json.into(), &visit.headers)
        }
        Err(status) => refusal(&status),
    }
}

fn refusal(status: &Status) -> Response<Body> {
    let json = serde_json::json!({ "error": status.message() }).to_string();
    let mut response = answer::response("application/json", json.into(), None);
    *response.status_mut() = http_status(status.code());
    response
}

/// A tab that follows operations.
struct Tab {
    visit: Visit,
    names: BTreeSet<OperationName>,
    /// The list that it shows, whose new operations are counted. `None` where they are not.
    list: Option<Listed>,
    changes: Box<dyn Signals>,
    dirty: BTreeSet<OperationName>,
    /// The version of each operation that the tab has.
    sent: HashMap<OperationName, Version>,
    flush_at: Instant,
    beat_at: Instant,
    ends_at: Instant,
    opened: bool,
    ended: bool,
}

/// The list that a tab shows.
struct Listed {
    wanted: Wanted,
    /// The newest operation on the page.
    newest: String,
    newest_name: String,
    changes: Box<dyn Signals>,
    is_dirty: bool,
    count_at: Instant,
}

/// The visible state of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    uid: String,
    revision: u64,
    state: u8,
}

struct Update {
    version: Version,
    json: serde_json::Value,
}

impl Tab {
    /// Follows first and reads then: no change in between is missed.
    async fn open(visit: Visit, form: &Params) -> Result<Self, Status> {
        let source = &visit.settings.source;
        // An unknown visitor follows nothing.
        source.principal(&visit.visitor).await?;
        let names: BTreeSet<_> = Chosen::all(form)?.into_iter().map(|it| it.name).collect();
        let changes = source.follow(Followed::Names(names.iter().cloned().collect()))?;
        let now = Instant::now();
        let newest = form.get("newest").to_owned();
        let newest_name = form.get("newest_name").to_owned();
        let list = if newest.is_empty() && newest_name.is_empty() {
            None
        } else {
            Some(Listed {
                wanted: Wanted {
                    rows: MAX_NEW,
                    token: String::new(),
                    ..Wanted::of(form)
                },
                newest,
                newest_name,
                changes: source.follow(Followed::All)?,
                is_dirty: true,
                count_at: now,
            })
        };
        Ok(Self {
            dirty: names.clone(),
            names,
            list,
            changes,
            sent: HashMap::new(),
            flush_at: now,
            beat_at: now + HEARTBEAT,
            ends_at: now + MAX_STREAM,
            opened: false,
            ended: false,
            visit,
        })
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if !self.opened {
            self.opened = true;
            let interval = self.visit.settings.source.abilities().interval;
            let json = serde_json::json!({ "interval": interval.map(|it| it.as_secs()) });
            return Some(format!("retry: 2000\nevent: open\ndata: {json}\n\n"));
        }
        loop {
            if self.ended {
                return None;
            }
            let is_dirty = !self.dirty.is_empty();
            let (counts, awaits) = match &self.list {
                Some(list) => (list.is_dirty.then_some(list.count_at), !list.is_dirty),
                None => (None, false),
            };
            tokio::select! {
                biased;
                () = sleep_until(self.ends_at) => return self.bye("time"),
                () = sleep_until(self.flush_at), if is_dirty => {
                    if let Some(event) = self.flush().await {
                        return self.sending(event);
                    }
                }
                () = sleep_until(counts.unwrap_or(self.ends_at)), if counts.is_some() => {
                    if let Some(event) = self.count().await {
                        return self.sending(event);
                    }
                }
                signal = self.changes.next() => match signal {
                    Signal::Changed(names) => self.dirty.extend(names),
                    Signal::Resync => self.dirty.clone_from(&self.names),
                    Signal::Closing => return self.bye("closing"),
                },
                () = news(self.list.as_mut()), if awaits => {}
                () = sleep_until(self.beat_at) => return self.sending(": alive\n\n".to_owned()),
            }
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is the answer of `next`")]
    fn sending(&mut self, event: String) -> Option<String> {
        self.beat_at = Instant::now() + HEARTBEAT;
        Some(event)
    }

    fn bye(&mut self, why: &str) -> Option<String> {
        self.ended = true;
        Some(format!("event: bye\ndata: {}\n\n", serde_json::json!(why)))
    }

    /// The operations that have changed since the tab last received them.
    async fn flush(&mut self) -> Option<String> {
        let dirty = std::mem::take(&mut self.dirty);
        self.flush_at = Instant::now() + FLUSH_INTERVAL;
        let updates = match updates(&self.visit, &dirty).await {
            Ok(updates) => updates,
            Err(status) if is_final(status.code()) => return self.bye("denied"),
            Err(_) => {
                // The store does not answer: the tab says so, and gets all of it later.
                self.dirty = dirty;
                self.flush_at = Instant::now() + RETRY_INTERVAL;
                return Some("event: stale\ndata: {}\n\n".to_owned());
            }
        };
        let mut rows = Vec::new();
        for (name, update) in updates {
            if self.sent.get(&name) != Some(&update.version) {
                self.sent.insert(name, update.version);
                rows.push(update.json);
            }
        }
        let rows = serde_json::Value::from(rows);
        Some(format!("event: rows\ndata: {rows}\n\n"))
    }

    /// How many operations of the list are newer than the page.
    async fn count(&mut self) -> Option<String> {
        let list = self.list.as_mut()?;
        list.is_dirty = false;
        list.count_at = Instant::now() + COUNT_INTERVAL;
        let settings = &self.visit.settings;
        let parent = list.wanted.parent(&settings.parent).ok()?;
        let options = list.wanted.options();
        let page = settings.source.list(&self.visit.visitor, parent, &options);
        // An error shows itself where the rows are read.
        let page = page.await.ok()?;
        let count = newer(&page.views, &list.newest, &list.newest_name);
        let is_more = count == page.views.len() && !page.next_page_token.is_empty();
        let json = serde_json::json!({ "count": count, "more": is_more });
        (count > 0).then(|| format!("event: new\ndata: {json}\n\n"))
    }
}

/// How many of the newest operations a page does not have, whose newest one is known by its id or,
/// where the server tells none, by its name.
fn newer(views: &[View], uid: &str, name: &str) -> usize {
    if uid.is_empty() {
        let at = views.iter().position(|view| view.name() == name);
        return at.unwrap_or(views.len());
    }
    views.iter().filter(|view| view.uid() > uid).count()
}

/// Waits until there may be new operations.
async fn news(list: Option<&mut Listed>) {
    if let Some(list) = list {
        list.changes.next().await;
        list.is_dirty = true;
    }
}

fn is_final(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::PermissionDenied)
}

/// The operations as they are, each with its name.
///
/// # Errors
///
/// The first that is not about one operation that has disappeared.
async fn updates(
    visit: &Visit,
    names: &BTreeSet<OperationName>,
) -> Result<Vec<(OperationName, Update)>, Status> {
    let source = &visit.settings.source;
    let names: Vec<OperationName> = names.iter().cloned().collect();
    let read = stream::iter(names).map(|name| async move {
        let view = source.get(&visit.visitor, &name).await;
        (name, view)
    });
    let mut read = read.buffered(CONCURRENCY);
    let mut updates = Vec::new();
    while let Some((name, view)) = read.next().await {
        let update = match view {
            Ok(view) => {
                let row = Row::of(&view, &visit.settings.types, source.now());
                Update {
                    version: Version {
                        uid: view.uid().to_owned(),
                        revision: row.revision,
                        state: row.state.as_number(),
                    },
                    json: row.to_json(),
                }
            }
            Err(status) if status.code() == Code::NotFound => Update {
                version: Version {
                    uid: String::new(),
                    revision: 0,
                    state: u8::MAX,
                },
                json: serde_json::json!({ "name": name.as_str(), "removed": true }),
            },
            Err(status) => return Err(status),
        };
        updates.push((name, update));
    }
    Ok(updates)
}
