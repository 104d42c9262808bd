//! One operation: where it stands, what it says, how it came there.

use http::{Response, StatusCode};
use lro_core::pb::operation::Result as Outcome;
use lro_core::pb::rpc;
use lro_core::store::{OnCrash, OperationRecord};
use lro_core::{OperationName, Reason, Timestamp};
use maud::{Markup, html};
use tonic::body::Body;
use tonic::{Code, Status};

use super::fault::{self, code_name};
use super::parts::{age, command, copy, glyph, moment, shell_word, state, word};
use super::timeline::timeline;
use super::tree::payload;
use super::{Head, frame};
use crate::params::{Params, link};
use crate::route::Visit;
use crate::row::{self, Row};
use crate::source::{Action, View};
use crate::text::{cut, duration, short_method, short_name, visible};
use crate::tree;

/// The most details of an error that are shown.
const MAX_DETAILS: usize = 20;

/// The most characters of a message.
const MAX_MESSAGE: usize = 8_192;

/// The name that the query gives.
pub(crate) fn name_of(params: &Params) -> Result<OperationName, Status> {
    let name = params.get("name").parse();
    name.map_err(|error| Reason::InvalidField.field_status("name", format!("{error}")))
}

/// The page.
pub(crate) async fn show(visit: &Visit) -> Response<Body> {
    let source = &visit.settings.source;
    let view = match name_of(&visit.query) {
        Ok(name) => source.get(&visit.visitor, &name).await,
        Err(status) => Err(status),
    };
    let view = match view {
        Ok(view) => view,
        Err(status) => return fault::show(visit, &status).await,
    };
    let now = source.now();
    let row = Row::of(&view, &visit.settings.types, now);
    let short = short_name(view.name(), 4);
    let percent = row.percent.map_or(String::new(), |it| format!(" {it} %"));
    let title = format!("{short} {}{percent}", word(row.state).to_lowercase());
    let main = html! {
        article #operation data-name=(view.name()) data-uid=(view.uid()) data-revision=(row.revision) data-now=(word(row.state)) data-done[row.state.is_done()] {
            (header(visit, &view, &row).await)
            (overview(visit, &view, &row, now))
            (payloads(visit, &view))
            @if let Some(record) = &view.record { (facts(record, now)) }
            (commands(&view))
        }
    };
    let head = Head {
        title: &title,
        here: "",
        is_live: !row.state.is_done(),
    };
    frame(visit, StatusCode::OK, head, main).await
}

async fn header(visit: &Visit, view: &View, row: &Row) -> Markup {
    let name = view.name();
    let method = view.record.as_ref().map(|record| &*record.method);
    let mut buttons = Vec::new();
    if !visit.settings.is_read_only {
        for action in [Action::Cancel, Action::Delete] {
            let permit = visit.settings.source.permit(&visit.visitor, action, view);
            let refusal = match action.effect(row.state) {
                None if row.state.is_done() => Some("It has ended.".to_owned()),
                None => Some("Its cancellation was already asked for.".to_owned()),
                Some(_) => permit.await.err().map(|status| status.message().to_owned()),
            };
            buttons.push((action, refusal));
        }
    }
    html! {
        header #head.head data-part {
            div {
                p.quiet { @if let Some(method) = method { span title=(visible(method)) { (visible(short_method(method))) } } @else { "Operation" } }
                h1 { span.glyph.big data-state=(word(row.state)) aria-hidden="true" { (glyph(row.state)) } " " (short_name(name, 12)) }
                p.fullname { (visible(name)) " " (copy("Copy name", name)) }
            }
            div.actions {
                @if !buttons.is_empty() {
                    form action="./confirm" method="post" {
                        input type="hidden" name="operation" value=(format!("{} {name}", view.uid()));
                        @for (action, refusal) in &buttons {
                            button type="submit" name="action" value=(action.verb()) disabled[refusal.is_some()]
                                aria-describedby=[refusal.as_ref().map(|_| format!("why-{}", action.verb()))] { (action.label()) "…" }
                        }
                    }
                    @for (action, refusal) in &buttons {
                        @if let Some(refusal) = refusal {
                            p.quiet.why id=(format!("why-{}", action.verb())) { (action.label()) ": " (visible(refusal)) }
                        }
                    }
                }
            }
        }
    }
}

fn overview(visit: &Visit, view: &View, row: &Row, now: Timestamp) -> Markup {
    html! {
        section #standing data-part aria-label="State" {
            p.standing {
                (state(row.state))
                @if let Some(percent) = row.percent {
                    progress max="100" value=(percent) aria-label="Progress" {}
                }
                span { (row.note) }
            }
            @if let Some(record) = &view.record {
                (timeline(record, now))
                @if record.losses > 0 {
                    p.note { "Its worker was lost " (record.losses) " times in a row while it ran: its body may have killed the process." }
                }
                @if record.delete_time.is_some() { p.note { "It was deleted while it ran, and disappears when it ends." } }
            }
            @if let Some(Outcome::Error(error)) = &view.operation.result { (error_details(visit, error)) }
        }
    }
}

fn error_details(visit: &Visit, error: &rpc::Status) -> Markup {
    html! {
        div.fault {
            h2 { (code_name(Code::from(error.code))) }
            p.message { (visible(&cut(&error.message, MAX_MESSAGE))) }
            @for detail in error.details.iter().take(MAX_DETAILS) { (payload(&tree::of_any(&visit.settings.types, detail))) }
            @if error.details.len() > MAX_DETAILS { p.note { "and " (error.details.len() - MAX_DETAILS) " more details, in the JSON" } }
        }
    }
}

fn payloads(visit: &Visit, view: &View) -> Markup {
    let types = &visit.settings.types;
    let json = link("operation.json", &[("name", view.name())]);
    let request = view.record.as_ref().map(|record| &record.request);
    html! {
        div.columns {
            section #metadata data-part {
                h2 { "Metadata" }
                @match &view.operation.metadata {
                    Some(metadata) => { (payload(&tree::of_any(types, metadata))) }
                    None => p.quiet { "none yet" },
                }
            }
            section #result data-part {
                h2 { "Response" }
                @match &view.operation.result {
                    Some(Outcome::Response(response)) => { (payload(&tree::of_any(types, response))) }
                    Some(Outcome::Error(_)) => p.quiet { "none: it ended with an error" },
                    None => p.quiet { "none until it has ended" },
                }
            }
        }
        @if let Some(request) = request {
            details.request {
                summary { "Request" }
                @if visit.settings.shows_requests() {
                    (payload(&tree::of_any(types, request)))
                } @else {
                    p.quiet { "This console does not show requests, because GetOperation does not return them. The server allows it with Console::show_requests." }
                }
            }
        }
        p { a.button href=(json) download { "Download JSON" } }
    }
}

fn facts(record: &OperationRecord, now: Timestamp) -> Markup {
    let policy = &record.policy;
    let waits = row::waiting(
        &View {
            operation: lro_core::pb::Operation::default(),
            record: Some(record.clone()),
        },
        now,
    );
    html! {
        div.columns #facts data-part {
            section {
                h2 { "Times" }
                dl.facts {
                    (fact("Created", &html! { (moment(record.create_time, now)) }))
                    @if record.ready_time > record.create_time { (fact("Ready", &moment(record.ready_time, now))) }
                    @if let Some(time) = record.start_time { (fact("First run", &moment(time, now))) }
                    (fact("Last change", &moment(record.update_time, now)))
                    @if let Some(time) = record.cancel_time { (fact("Cancellation", &moment(time, now))) }
                    @if let Some(time) = record.end_time { (fact("Ended", &moment(time, now))) }
                    @if let Some(time) = record.expire_time { (fact("Expires", &moment(time, now))) }
                }
            }
            section {
                h2 { "Run" }
                dl.facts {
                    @if !record.state.is_done() && record.lease.is_none() && !waits.is_empty() { (fact("Queue", &html! { (waits) })) }
                    (fact("Attempt", &html! { (record.attempt) " of at most " (policy.max_attempts) }))
                    @if let Some(lease) = &record.lease {
                        (fact("Worker", &html! { code { (lease.worker.as_uuid()) } }))
                        (fact("Lease", &html! { @if lease.expire_time < now { "expired " } @else { "expires " } (age(lease.expire_time, now)) }))
                    }
                    (fact("After a crash", &html! { @match policy.on_crash { OnCrash::Resume => "runs again", OnCrash::Abort => "fails" } }))
                    (fact("Kept", &html! { (duration(policy.retain)) " after its end" }))
                    (fact("Revision", &html! { (record.revision) }))
                }
            }
            section {
                h2 { "Origin" }
                dl.facts {
                    (fact("By", &html! { @if record.origin.principal.is_empty() { span.quiet { "unknown" } } @else { (visible(&record.origin.principal)) } }))
                    (fact("Method", &html! { code { (visible(&record.method)) } }))
                    (fact("Id", &html! { code { (record.uid) } }))
                    @if let Some(trace) = trace_id(&record.origin.trace_parent) { (fact("Trace", &html! { code { (visible(trace)) } " " (copy("Copy", trace)) })) }
                    @if let Some(key) = &record.exclusive_key { (fact("Exclusive key", &html! { code { (visible(key)) } })) }
                    @if record.labels.is_empty() { (fact("Labels", &html! { span.quiet { "none" } })) }
                    @for (key, value) in &record.labels { (fact_of(&visible(key), &html! { (label(key, value)) })) }
                }
            }
        }
    }
}

/// A label leads to the operations that have it, too.
fn label(key: &str, value: &str) -> Markup {
    let is_plain = |text: &str| {
        let mut chars = text.chars();
        !text.is_empty() && chars.all(|it| it.is_ascii_alphanumeric() || it == '_' || it == '-')
    };
    let filter = format!("labels.{key} = \"{value}\"");
    html! {
        @if is_plain(key) && is_plain(value) {
            a href=(link("", &[("filter", &filter)])) { (value) }
        } @else {
            (visible(value))
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    fact_of(name, value)
}

fn fact_of(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// The trace id of a `traceparent`.
fn trace_id(trace_parent: &str) -> Option<&str> {
    trace_parent.split('-').nth(1)
}

fn commands(view: &View) -> Markup {
    let name = shell_word(view.name());
    html! {
        details.same {
            summary { "The same on the command line" }
            p { (command(&format!("lro describe {name}"))) }
            @if !view.operation.done { p { (command(&format!("lro watch {name}"))) } }
        }
    }
}
