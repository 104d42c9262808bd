//! All operations at a glance: by method, and the workers that run them.

mod workers;

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use lro_core::inspection::operation_record::State;
use lro_core::inspection::{CountOperationsResponse, ListWorkersResponse, Method, MethodHistory};
use lro_core::{ParentPattern, Timestamp};
use maud::{Markup, html};
use tonic::Status;
use tonic::body::Body;

use super::fault;
use super::operations::Wanted;
use super::parts::age;
use super::sparkline::sparkline;
use super::{Head, frame};
use crate::params::link;
use crate::route::Visit;
use crate::source::{span, time};
use crate::text::{bounded, duration, grouped, short_method, visible};

/// The most methods that are shown.
const MAX_METHODS: usize = 200;

/// The operations that have not ended, of all processes.
const UNFINISHED: &str = "done = false";

/// How often the script asks again, in seconds.
const REFRESH: u32 = 10;

/// One method.
#[derive(Debug, Default)]
struct Line {
    /// With whether there are no more.
    queued: (u64, bool),
    running: (u64, bool),
    method: Option<Method>,
}

/// The page.
pub(crate) async fn show(visit: &Visit) -> Response<Body> {
    let settings = &visit.settings;
    let source = &settings.source;
    let parent = match Wanted::of(&visit.query).parent(&settings.parent) {
        Ok(parent) => parent,
        Err(status) => return fault::show(visit, &status).await,
    };
    let (counts, methods, workers) = tokio::join!(
        source.counts(&visit.visitor, &parent, UNFINISHED),
        source.methods(&visit.visitor),
        source.workers(&visit.visitor),
    );
    // A visitor who may see neither has no overview; the first error says why.
    if let (Err(status), Err(_)) = (&counts, &methods) {
        return fault::show(visit, status).await;
    }
    let now = source.now();
    let lines = lines(counts.as_ref().ok(), methods.as_ref().ok());
    let is_shared = workers.as_ref().is_ok_and(|it| it.store_is_shared);
    let main = html! {
        h1 { "Overview" }
        div #overview data-refresh=(REFRESH) {
            section #methods data-part {
                h2 { "Methods" }
                @if lacks_workers(&workers, &lines) { p.note { b { "No worker runs in this process" } ", and no other process uses the store: these operations wait until one starts." } }
                @if lines.is_empty() {
                    p.quiet { "No operation waits or runs, and this process has started none yet." }
                } @else {
                    (table(&lines, &parent, counts.is_ok(), methods.is_ok(), now))
                }
                (scopes(&counts, &methods, is_shared, now))
            }
            (workers::workers(&workers, now))
        }
    };
    let head = Head {
        title: "Overview",
        here: "./overview",
        is_live: true,
        ..Head::default()
    };
    frame(visit, StatusCode::OK, head, main).await
}

/// Whether operations wait or run, and nothing can run them.
fn lacks_workers(
    workers: &Result<ListWorkersResponse, Status>,
    lines: &BTreeMap<String, Line>,
) -> bool {
    let is_alone = |it: &ListWorkersResponse| it.workers.is_empty() && !it.store_is_shared;
    let unfinished = |line: &Line| line.queued.0 + line.running.0 > 0;
    workers.as_ref().is_ok_and(is_alone) && lines.values().any(unfinished)
}

/// A line for each method, by path.
fn lines(
    counts: Option<&CountOperationsResponse>,
    methods: Option<&Vec<Method>>,
) -> BTreeMap<String, Line> {
    let exact = counts.is_none_or(|counts| counts.exact);
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    let line = |of: &mut BTreeMap<String, Line>, method: &str, change: &dyn Fn(&mut Line)| {
        if of.len() < MAX_METHODS || of.contains_key(method) {
            let fresh = || Line {
                queued: (0, exact),
                running: (0, exact),
                method: None,
            };
            change(of.entry(method.to_owned()).or_insert_with(fresh));
        }
    };
    for method in methods.into_iter().flatten() {
        line(&mut lines, &method.method, &|line| {
            line.method = Some(method.clone());
        });
    }
    for count in counts.iter().flat_map(|counts| &counts.counts) {
        line(&mut lines, &count.method, &|line| {
            let number = u64::try_from(count.count).unwrap_or_default();
            let sum = match count.state() {
                State::Pending => &mut line.queued,
                _ => &mut line.running,
            };
            sum.0 = sum.0.saturating_add(number);
            sum.1 = count.exact || exact;
        });
    }
    lines
}

fn table(
    lines: &BTreeMap<String, Line>,
    parent: &ParentPattern,
    has_counts: bool,
    has_methods: bool,
    now: Timestamp,
) -> Markup {
    html! {
        div.scroll.plain role="region" aria-label="Methods" tabindex="0" {
            table.overview.blocks {
                caption.unseen { "Operations by method" }
                thead {
                    tr.scopes {
                        td {}
                        @if has_counts { th colspan=(if has_methods { 3 } else { 2 }) scope="colgroup" { "All processes, now" } }
                        @else if has_methods { th scope="colgroup" { "All processes, now" } }
                        @if has_methods { th colspan="5" scope="colgroup" { "This process, last hour" } }
                    }
                    tr {
                        th scope="col" { "Method" }
                        @if has_counts { th.number scope="col" { "Queued" } th.number scope="col" { "Running" } }
                        @if has_methods {
                            th.number scope="col" { "Oldest waits since" }
                            th.number scope="col" { "Done / min" }
                            th.number scope="col" { "Failed" }
                            th.number scope="col" { "Queue p50 / p95" }
                            th.number scope="col" { "Run p50 / p95" }
                            th scope="col" { "Ended each minute" }
                        }
                    }
                }
                tbody {
                    @for (path, line) in lines {
                        tr {
                            th.method scope="row" title=(visible(path)) { a href=(list_of(path, parent, "")) { (visible(short_method(path))) } }
                            @if has_counts {
                                td.number data-label="Queued" { a href=(list_of(path, parent, "pending")) { (bounded(line.queued.0, line.queued.1)) } }
                                td.number data-label="Running" { a href=(list_of(path, parent, "running")) { (bounded(line.running.0, line.running.1)) } }
                            }
                            @if has_methods { (past(line, now)) }
                        }
                    }
                }
            }
        }
    }
}

fn past(line: &Line, now: Timestamp) -> Markup {
    let method = line.method.as_ref();
    let oldest = method.and_then(|it| time(it.oldest_ready_time.as_ref()));
    let history = method.and_then(|it| it.history.as_ref());
    let none = html! { span.quiet { "–" } };
    let pair = |one: Option<&prost_types::Duration>, other: Option<&prost_types::Duration>| match (
        span(one),
        span(other),
    ) {
        (Some(one), Some(other)) => html! { (duration(one)) " / " (duration(other)) },
        _ => none.clone(),
    };
    html! {
        td.number data-label="Oldest waits since" { @if let Some(oldest) = oldest { (age(oldest, now)) } @else { (none) } }
        @if let Some(history) = history {
            @let ended = Ended::of(history, now);
            td.number data-label="Done / min" { (ended.rate()) }
            td.number data-label="Failed" { @if let Some(share) = ended.failed_share() { (share) } @else { (none) } }
            td.number data-label="Queue p50 / p95" { (pair(history.queue_time_p50.as_ref(), history.queue_time_p95.as_ref())) }
            td.number data-label="Run p50 / p95" { (pair(history.run_time_p50.as_ref(), history.run_time_p95.as_ref())) }
            td { (sparkline(&history.minutes)) }
        } @else {
            @for _ in 0..4 { td.number { (none) } }
            td {}
        }
    }
}

/// The operations that ended in the last hour.
struct Ended {
    all: u64,
    failed: u64,
    minutes: f64,
}

impl Ended {
    fn of(history: &MethodHistory, now: Timestamp) -> Self {
        let number = |count: i64| u64::try_from(count).unwrap_or_default();
        let failed = history.minutes.iter().map(|it| number(it.failed));
        let all = history
            .minutes
            .iter()
            .flat_map(|it| [it.succeeded, it.failed, it.cancelled]);
        let begun = time(history.begin_time.as_ref()).unwrap_or(now);
        // A process that has just begun has no hour.
        let minutes = now.since(begun).as_secs_f64() / 60.0;
        Self {
            all: all.map(number).fold(0, u64::saturating_add),
            failed: failed.fold(0, u64::saturating_add),
            minutes: minutes.clamp(1.0, 60.0),
        }
    }

    fn rate(&self) -> String {
        let rate = self.all as f64 / self.minutes;
        if rate >= 100.0 {
            grouped(rate.round() as u64)
        } else if rate >= 1.0 || self.all == 0 {
            format!("{rate:.1}")
        } else {
            format!("{rate:.2}")
        }
    }

    /// `None` if nothing has ended.
    fn failed_share(&self) -> Option<String> {
        (self.all > 0).then(|| format!("{:.1} %", 100.0 * self.failed as f64 / self.all as f64))
    }
}

/// The list of a method.
fn list_of(path: &str, parent: &ParentPattern, state: &str) -> String {
    let text = path.replace('\\', "\\\\").replace('"', "\\\"");
    let filter = format!("method = \"{text}\"");
    let params = [
        ("filter", &*filter),
        ("state", state),
        ("parent", parent.as_str()),
    ];
    link("", &params)
}

/// A note on the processes that the figures are of.
fn scopes(
    counts: &Result<CountOperationsResponse, Status>,
    methods: &Result<Vec<Method>, Status>,
    is_shared: bool,
    now: Timestamp,
) -> Markup {
    let history = methods.as_ref().ok().into_iter().flatten();
    let begun = history.filter_map(|it| time(it.history.as_ref()?.begin_time.as_ref()));
    html! {
        @match counts {
            Ok(counts) => p.quiet {
                "Queued and running: all processes"
                @if let Some(as_of) = time(counts.as_of.as_ref()) { ", counted " (age(as_of.min(now), now)) }
                "."
            },
            Err(status) => p.note { "Queued and running are missing: " (visible(status.message())) },
        }
        @match methods {
            Ok(_) => p.quiet {
                "Rates and times: this process only"
                @if let Some(begun) = begun.min() { ", which began to count " (age(begun, now)) }
                "; times of the latest 1,000 that ended. "
                @if is_shared { "Other processes share the store." } @else { "No other process uses the store." }
            },
            Err(status) => p.note { "Rates and times are missing, because they are of the operations of all callers: " (visible(status.message())) },
        }
    }
}
