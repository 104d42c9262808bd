//! One operation: where it stands, what it says, how it came there.

mod attempts;
mod facts;
pub(crate) mod neighbour;
mod steps;
mod value;

use std::time::Duration;

use http::{Response, StatusCode};
use lro_core::inspection::OperationRecord;
use lro_core::inspection::operation_record::Redaction;
use lro_core::pb::operation::Result as Outcome;
use lro_core::pb::rpc;
use lro_core::store::OperationState;
use lro_core::{OperationName, Reason, Timestamp};
use maud::{Markup, html};
use tonic::body::Body;
use tonic::{Code, Status};

use super::fault::{self, code_name};
use super::parts::{age, command, copy, done, shell_word, state, word};
use super::timeline::timeline;
use super::tree::payload;
use super::{Head, frame};
use crate::outlook::Outlook;
use crate::params::{Params, link};
use crate::route::Visit;
use crate::row::{self, Row};
use crate::source::{Action, Permits, Record, View};
use crate::text::{cut, short_method, short_name, visible};
use crate::tree;

/// An operation that expires within this time says so.
const SOON: Duration = Duration::from_secs(24 * 3_600);

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
        Ok(name) => source.describe(&visit.visitor, &name).await,
        Err(status) => Err(status),
    };
    let (view, permits) = match view {
        Ok(described) => described,
        Err(status) => return fault::show(visit, &status).await,
    };
    let now = source.now();
    let row = Row::of(&view, &visit.settings.types, now);
    let outlook = outlook(visit, &view, now).await;
    let steps = steps::read(visit, &view).await;
    let short = short_name(view.name(), 4);
    let percent = row.percent.map_or(String::new(), |it| format!(" {it} %"));
    let buttons = buttons(visit, &row, &permits);
    let title = format!("{short} {}{percent}", word(row.state).to_lowercase());
    let main = html! {
        article #operation data-name=(view.name()) data-uid=(view.uid()) data-revision=(row.revision) data-now=(word(row.state)) data-done[row.state.is_done()] {
            (neighbour::links(visit, &view))
            (done(visit.query.get("did")))
            p #removed.band hidden { b { "Deleted, or expired." } " The rest of this page is the last known state." }
            (header(&view, &buttons))
            (overview(visit, &view, &row, &outlook, &buttons, now))
            @if let Some(record) = &view.record { (attempts::attempts(record, now)) } @else { (no_record()) }
            (steps::steps(visit, &view, &steps, &permits, now))
            (payloads(visit, &view))
            @if let Some(record) = &view.record { (facts::facts(record, now)) }
            (commands(&view))
        }
    };
    let head = Head {
        title: &title,
        here: "./",
        is_below: true,
        is_live: !row.state.is_done(),
    };
    frame(visit, StatusCode::OK, head, main).await
}

/// An action, with the reason why its button is disabled.
type Button = (Action, Option<String>);

fn buttons(visit: &Visit, row: &Row, permits: &Permits) -> Vec<Button> {
    if visit.settings.is_read_only {
        return Vec::new();
    }
    let actions = Action::ALL.into_iter();
    let actions = actions.map(|action| {
        let refusal = match (action.effect(row.state), permits.of(action)) {
            (Err(why), _) => Some(why.to_owned()),
            (Ok(_), Err(status)) => Some(status.message().to_owned()),
            (Ok(_), Ok(())) => None,
        };
        (action, refusal)
    });
    actions.collect()
}

fn header(view: &View, buttons: &[Button]) -> Markup {
    let name = view.name();
    let method = view.record.as_ref().map(|record| &*record.wire().method);
    let json = link("operation.json", &[("name", name)]);
    html! {
        header #head.head data-part {
            div {
                h1 {
                    @if let Some(method) = method { span title=(visible(method)) { (visible(short_method(method))) } " " span.quiet { (short_name(name, 8)) } }
                    @else { (short_name(name, 12)) }
                }
                p.fullname { (visible(name)) " " (copy("Copy name", name)) " " a.button.copy href=(json) download { "Download JSON" } }
            }
            @if !buttons.is_empty() {
                form.actions action="./confirm" method="post" {
                    input type="hidden" name="operation" value=(format!("{} {name}", view.uid()));
                    @for (action, refusal) in buttons {
                        button type="submit" name="action" value=(action.verb()) disabled[refusal.is_some()]
                            aria-describedby=[refusal.as_ref().map(|_| format!("why-{}", action.verb()))] { (action.label()) "…" }
                    }
                }
            }
        }
    }
}

/// Why buttons are disabled: below the state, which stays where it is.
fn refusals(view: &View, buttons: &[Button]) -> Markup {
    let short = short_name(view.name(), 4);
    let refused = buttons
        .iter()
        .filter_map(|(action, why)| Some((action, why.as_ref()?)));
    html! {
        @for (action, why) in refused {
            // The page says which operation it is about.
            p.quiet.why id=(format!("why-{}", action.verb())) { (action.label()) ": " (visible(&why.replace(view.name(), &short).replace(" (or it might not exist)", ""))) }
        }
    }
}

/// The time that an operation may still take, if it runs.
async fn outlook(visit: &Visit, view: &View, now: Timestamp) -> Outlook {
    let (Some(record), Some(ran)) = (&view.record, view.took(now)) else {
        return Outlook::default();
    };
    // An operation whose worker is lost makes no progress.
    if view.state() != OperationState::Running || record.waits().is_some() {
        return Outlook::default();
    }
    let source = &visit.settings.source;
    let history = source.history(&visit.visitor, &record.wire().method).await;
    // Only operators learn how long the operations of others took.
    let history = history.ok().flatten();
    let progress = row::progress(view, &visit.settings.types);
    Outlook::of(ran, progress.map(|it| it.fraction), history.as_ref())
}

fn overview(
    visit: &Visit,
    view: &View,
    row: &Row,
    outlook: &Outlook,
    buttons: &[Button],
    now: Timestamp,
) -> Markup {
    html! {
        section #standing data-part aria-label="State" {
            p.standing {
                (state(row.state))
                @if let Some(percent) = row.percent {
                    progress max="100" value=(percent) aria-label="Progress" {}
                }
                @if !row.progress.is_empty() { span { (row.progress) } }
                @if !outlook.left.is_empty() { span.left { (outlook.left) } }
                @if !outlook.slow.is_empty() { span.badge.slow { "slow" } }
                @if let Some(expires) = expires_soon(view, now) { span.badge.soon { "expires " (age(expires, now)) } }
            }
            @if let Some(record) = &view.record {
                (attempts::waiting(record, now))
                @if record.wire().losses > 0 {
                    p.note {
                        "Its worker was lost " @if record.wire().losses == 1 { "once" } @else { (record.wire().losses) " times in a row" }
                        " while it ran: its body may have killed the process."
                    }
                }
                @if !outlook.slow.is_empty() { p.note { "Slow: " (outlook.slow) " (in this process)." } }
                (timeline(record, now))
            }
            @if let Some(Outcome::Error(error)) = &view.operation.result { (error_details(visit, error)) }
            (refusals(view, buttons))
        }
    }
}

/// The expiry of an operation that is kept for another day at most.
fn expires_soon(view: &View, now: Timestamp) -> Option<Timestamp> {
    let expires = view.record.as_ref()?.expire_time()?;
    (view.operation.done && expires.since(now) <= SOON).then_some(expires)
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
    let record = view.record.as_ref().map(Record::wire);
    let redaction = record.map_or(Redaction::Unspecified, OperationRecord::request_redaction);
    let request = record.and_then(|record| record.request.as_ref());
    html! {
        div.columns {
            section #metadata data-part {
                h2 { "Metadata" }
                @match &view.operation.metadata {
                    Some(metadata) => { (payload(&tree::of_any(types, metadata))) }
                    None => p.quiet { @if view.operation.done { "none" } @else { "none yet" } },
                }
            }
            @if let Some(Outcome::Response(response)) = &view.operation.result {
                section #result data-part { h2 { "Response" } (payload(&tree::of_any(types, response))) }
            } @else {
                section #result data-part hidden {}
            }
        }
        @if let Some(request) = request {
            details.request {
                summary { "Request" }
                @if redaction == Redaction::Withheld {
                    p.quiet { "The server withholds it: it does not know the proto of its type, so it cannot tell which fields are redacted." }
                } @else if visit.settings.shows_requests() {
                    (payload(&tree::of_any(types, request)))
                    @if redaction == Redaction::FieldsCleared { p.quiet { "The server has cleared the fields that are marked as debug_redact." } }
                } @else {
                    p.quiet { "This console does not show requests, because GetOperation does not return them. The server allows it with Console::show_requests." }
                }
            }
        }
    }
}

/// A server, or a permission, that tells the standard only.
pub(crate) fn no_record() -> Markup {
    html! {
        p.note { "The server tells only what google.longrunning has: no method, times, attempts, labels or lease. It may not offer lro.v1.Inspection, or you may not inspect its operations." }
    }
}

fn commands(view: &View) -> Markup {
    let name = shell_word(view.name());
    html! {
        details.same {
            summary { "The same on the command line" }
            p { (command(&format!("lro describe {name}"))) }
            @if view.operation.done {
                @if view.record.is_some() { p { (command(&format!("lro resubmit {name}"))) } }
            } @else { p { (command(&format!("lro watch {name}"))) } }
        }
    }
}
