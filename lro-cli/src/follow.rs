//! Follows operations to their end, and tells how far they are.

pub(crate) mod again;
mod bars;
mod changes;
mod display;
mod each;
mod later;
mod lines;
pub(crate) mod signals;
mod told;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::args::IfMissing;
use crate::commands::list::quoted;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local_filter::LocalFilter;
use crate::shown::Shown;
use again::Again;
use display::Display;
use each::News;
use later::Later;
pub(crate) use later::MAX_MATCHES;
use signals::Signals;

/// How often the display is drawn while nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// From how many operations on only their number is shown.
const MANY: usize = 10;

/// The operations to follow, and how.
#[derive(Debug)]
pub(crate) struct Follow<'a> {
    pub(crate) names: &'a [String],
    /// The filter whose later matches are followed, too.
    pub(crate) later: Option<&'a str>,
    /// Shows each change, and not only what a wait for the end brings.
    pub(crate) watch: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) any: bool,
    pub(crate) if_missing: IfMissing,
    /// The command that continues after Ctrl-C or the time limit.
    pub(crate) again: Again,
    /// Whether the command asks to cancel what reaches the time limit.
    pub(crate) cancel_on_timeout: bool,
    /// Writes each change as an object to stdout.
    pub(crate) changes: bool,
    /// Tells which fields of the metadata have changed.
    pub(crate) differences: bool,
    /// The filter that ends the wait, instead of the end of the operation.
    pub(crate) reached: Option<&'a LocalFilter>,
}

/// How following one operation ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The operation is done.
    Done(Box<Shown>),
    /// The operation matches what it was waited for to match.
    Reached(Box<Shown>),
    /// The time limit was reached.
    TimedOut(Seen),
    /// The server has no such operation, which was allowed.
    Missing,
    /// Nothing more can be found out.
    Lost(Failure),
}

/// The last answer about an operation before the time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// That it runs.
    Running,
    /// That there is no such operation yet.
    Missing,
    /// Nothing.
    Nothing,
}

/// How all of it ended.
#[derive(Debug)]
pub(crate) struct Ends {
    /// In the order of the names; without those that were not waited for any more.
    pub(crate) ends: Vec<(String, End)>,
    /// Those that had not ended.
    pub(crate) left: Vec<String>,
    /// The signal that ended the watching.
    pub(crate) interrupted: Option<Exit>,
}

impl Follow<'_> {
    /// Follows all of them to their end, to the time limit, or to a signal.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written, or a setting is wrong.
    pub(crate) async fn run(&self, context: &Context) -> Result<Ends, Failure> {
        let mut display = Display::new(context, self)?;
        let finished = self.follow(context, &mut display).await;
        display.finish();
        finished
    }

    async fn follow(&self, context: &Context, display: &mut Display<'_>) -> Result<Ends, Failure> {
        let began = Instant::now();
        let shower = context.shower()?;
        let (sender, mut news) = mpsc::channel(64);
        let concurrency = context.settings.number("concurrency")?.max(1);
        let mut names = self.names.to_vec();
        let mut ends: HashMap<String, End> = HashMap::new();
        let mut metadata: HashMap<String, Value> = HashMap::new();
        let mut tasks = FuturesUnordered::new();
        let follow = |names: &[String]| {
            let limit = self.timeout.map(|it| it.saturating_sub(began.elapsed()));
            let (names, sender) = (names.to_vec(), sender.clone());
            if self.watch || self.reached.is_some() {
                self.told(context, names, limit, concurrency, sender)
                    .boxed_local()
            } else {
                self.polled(context, names, limit, concurrency, sender)
                    .boxed_local()
            }
        };
        tasks.push(follow(&names));
        let mut later = Later::new(context, self.later);
        let mut tick = tokio::time::interval(TICK);
        let mut signals = Signals::new();
        let mut interrupted = None;
        while ends.len() < names.len() || later.may_bring_more() {
            later.look(ends.len() == names.len());
            tokio::select! {
                biased;
                exit = signals.next() => {
                    interrupted = Some(exit);
                    break;
                }
                Some(news) = news.recv() => match news {
                    News::State(operation) => {
                        let shown = shower.show(operation).await?;
                        let name = shown.name().to_owned();
                        let changed = self.changed(&mut metadata, &shown);
                        if self.changes {
                            self.write_change(context, &shown, &changed)?;
                        }
                        if ends.contains_key(&name) {
                            continue;
                        }
                        display.changed(&shown, &changed);
                        display.state(&shown);
                        let reached = match self.reached {
                            Some(filter) => filter.matches(context, &shown)?,
                            None => false,
                        };
                        if reached {
                            ends.insert(name, End::Reached(Box::new(shown)));
                        } else if shown.operation.done {
                            ends.insert(name, End::Done(Box::new(shown)));
                        } else {
                            continue;
                        }
                        if self.any {
                            break;
                        }
                    }
                    News::Retry(name, status) => display.retry(&name, &status),
                    News::Ended(name, end) => {
                        display.lost(&name, &end);
                        ends.entry(name).or_insert(end);
                    }
                },
                Some(()) = tasks.next() => {}
                found = later.found() => {
                    let new = later.take(found, &names)?;
                    display.add(&new, &names);
                    tasks.push(follow(&new));
                    names.extend(new);
                }
                _ = tick.tick() => display.tick(),
            }
            if self.timeout.is_some_and(|it| began.elapsed() >= it) {
                later.stop();
            }
        }
        let ended = names.iter().filter_map(|name| ends.remove_entry(name));
        let ended: Vec<_> = ended.collect();
        let done: std::collections::HashSet<&String> = ended.iter().map(|(name, _)| name).collect();
        let left = names.iter().filter(|name| !done.contains(name)).cloned();
        Ok(Ends {
            left: left.collect(),
            ends: ended,
            interrupted,
        })
    }

    /// The fields of the metadata that differ from those of the last answer, where that was asked for.
    fn changed(
        &self,
        metadata: &mut HashMap<String, Value>,
        shown: &Shown,
    ) -> Vec<changes::Change> {
        if !self.differences {
            return Vec::new();
        }
        let now = shown.tree.get("metadata").cloned().unwrap_or_default();
        let before = metadata.insert(shown.name().to_owned(), now.clone());
        before.map_or_else(Vec::new, |before| changes::between(&before, &now))
    }

    /// A line of `watch -o ndjson`.
    fn write_change(
        &self,
        context: &Context,
        shown: &Shown,
        changed: &[changes::Change],
    ) -> Result<(), Failure> {
        let change = if shown.operation.done {
            shown.state.name()
        } else {
            "CHANGED"
        };
        let mut members = String::new();
        if self.differences {
            members = format!("\"changes\":{},", changes::document(changed));
        }
        context.terminal.json(&crate::show::change(
            context,
            change,
            &format!("{members}\"operation\":{}", shown.json),
        ))
    }

    /// Whether there is one operation, whose response is all that a script wants.
    pub(crate) fn is_one(&self) -> bool {
        self.names.len() == 1 && self.later.is_none()
    }

    /// Tells that the watching ended, and how to continue it.
    pub(crate) fn tell_interrupted(&self, context: &Context, ends: &Ends) {
        let what = self.what_is_left(&ends.left);
        if what.is_empty() {
            return;
        }
        let running = match ends.left.len() {
            0 => "",
            _ => "Still running on the server. ",
        };
        let again = self.again.command(context, &what);
        let text = format!("{running}Continue: {again}");
        context.terminal.tell(&text);
    }

    /// The arguments of the command that continues.
    fn what_is_left(&self, left: &[String]) -> String {
        if let Some(filter) = self.later {
            return format!("--filter {} --follow", quoted(filter));
        }
        let shown: Vec<String> = left.iter().take(MANY).map(|it| quoted(it)).collect();
        let more = match left.len().saturating_sub(MANY) {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        shown.join(" ") + &more
    }
}

impl End {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Done(shown) => shown.state.exit(),
            Self::TimedOut(Seen::Nothing) => Exit::Unknown,
            Self::TimedOut(_) => Exit::TimedOut,
            Self::Missing | Self::Reached(_) => Exit::Done,
            Self::Lost(failure) => failure.exit(),
        }
    }
}
