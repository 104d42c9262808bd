//! Does what a visitor has confirmed, and says what came of it.

use futures_util::stream::{self, StreamExt as _};
use http::{Response, StatusCode};
use lro_core::Reason;
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use tonic::body::Body;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::answer::see_other;
use crate::page::confirm::{CONCURRENCY, Chosen, asked, group};
use crate::page::fault::{self, code_name};
use crate::page::operations::Wanted;
use crate::page::parts::groups;
use crate::page::{Head, frame};
use crate::params::{Params, link};
use crate::route::Visit;
use crate::source::{Act, Action, REASON, Visitor};
use crate::text::visible;

/// The operation that an action has started, if it starts any.
type Outcome = Result<Option<String>, Status>;

/// The answer to a confirmed action: the operation again, or what came of each of several.
pub(crate) async fn act(visit: &Visit, form: &Params) -> Response<Body> {
    let (action, chosen) = match asked(form).and_then(|asked| counted(form, asked)) {
        Ok(asked) => asked,
        Err(status) => return fault::show(visit, &status).await,
    };
    let principal = visit.principal().await;
    let principal = &*principal;
    let visitor = &with_reason(&visit.visitor, form.get("reason"));
    let once_of = form.get("once");
    let outcomes = stream::iter(chosen).map(|it| async move {
        let outcome = once(visit, visitor, action, &it, once_of).await;
        audit(principal, action, &it, &outcome);
        (it, outcome)
    });
    let outcomes: Vec<_> = outcomes.buffered(CONCURRENCY).collect().await;
    let list = Wanted::remembered(form);
    let did = action.verb();
    let operation = |name: &str| see_other(&link("operation", &[("did", did), ("name", name)]));
    match &*outcomes {
        [(_, Err(status))] => fault::refusal(visit, status, action).await,
        [(_, Ok(Some(started)))] => operation(started),
        [(chosen, Ok(None))] if action != Action::Delete => operation(chosen.name.as_str()),
        [(_, Ok(None))] => {
            see_other(&list.map_or_else(|| link("", &[("did", did)]), |list| list.back(did)))
        }
        several => report(visit, action, list.as_ref(), several).await,
    }
}

/// The visitor with the reason that it gives, as servers of ours take it.
pub(crate) fn with_reason(visitor: &Visitor, reason: &str) -> Visitor {
    let (headers, extensions) = (visitor.metadata().clone(), visitor.extensions().clone());
    let mut with = Visitor::from_parts(headers, extensions, ());
    let headers = with.metadata_mut();
    // A header of the browser is no reason.
    headers.remove(REASON);
    let encoded = utf8_percent_encode(reason.trim(), NON_ALPHANUMERIC).to_string();
    if let (false, Ok(value)) = (encoded.is_empty(), encoded.parse()) {
        headers.insert(REASON, value);
    }
    with
}

/// For several operations the visitor has typed their number: what the form shows is what is done.
fn counted(form: &Params, asked: (Action, Vec<Chosen>)) -> Result<(Action, Vec<Chosen>), Status> {
    let count = asked.1.len();
    let typed = form.get("count").trim();
    if count > 1 && typed.parse() != Ok(count) {
        let text = format!("type the number of the operations, {count}; nothing was done");
        return Err(Reason::InvalidField.field_status("count", text));
    }
    Ok(asked)
}

async fn once(
    visit: &Visit,
    visitor: &Visitor,
    action: Action,
    chosen: &Chosen,
    form: &str,
) -> Outcome {
    // Another operation may have the name by now.
    chosen.read(visit).await?;
    let act = Act {
        action,
        name: &chosen.name,
        request_id: request_id(form, chosen),
    };
    visit.settings.source.act(visitor, &act).await
}

/// The same for the same form and operation.
fn request_id(form: &str, chosen: &Chosen) -> String {
    if form.is_empty() {
        return Uuid::new_v4().to_string();
    }
    let digest = Sha256::digest(format!("{form}\n{}\n{}", chosen.uid, chosen.name));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// One event for each operation.
fn audit(principal: &str, action: Action, chosen: &Chosen, outcome: &Outcome) {
    let code = outcome.as_ref().map_or_else(Status::code, |_| Code::Ok);
    let started = outcome.as_ref().ok().and_then(|started| started.as_deref());
    tracing::info!(
        target: "lro_console::audit",
        principal,
        action = action.verb(),
        operation = %chosen.name,
        uid = chosen.uid,
        started,
        outcome = code_name(code),
        "console action"
    );
}

async fn report(
    visit: &Visit,
    action: Action,
    list: Option<&Wanted>,
    outcomes: &[(Chosen, Outcome)],
) -> Response<Body> {
    let refused = outcomes.iter().filter_map(|(chosen, outcome)| {
        let status = outcome.as_ref().err()?;
        let text = format!("{}, {}", code_name(status.code()), status.message());
        Some((text, (chosen, status.code())))
    });
    let refused: Vec<_> = refused.collect();
    let failed = refused.len();
    let done = outcomes.len() - failed;
    let back = list.map_or_else(|| "./".to_owned(), |list| list.back(""));
    let verb = match action {
        Action::Cancel => "Asked to cancel",
        Action::Resubmit => "Resubmitted",
        Action::Delete => "Deleted",
    };
    let title = format!("{verb} {done} of {} operations", outcomes.len());
    let main = html! {
        h1 { (title) }
        @if action == Action::Resubmit && done > 0 {
            h2 { "Started" }
            ul.chosen tabindex="0" aria-label="Started" {
                @for started in outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()?.as_deref()) {
                    li { a.fullname href=(link("operation", &[("name", started)])) { (visible(started)) } }
                }
            }
        }
        @if failed > 0 {
            h2 { "Refused: " (failed) }
            @for (why, operations) in groups(refused) { (group(&why, operations.len(), false, &html! {
                @for (chosen, code) in &operations {
                    li {
                        @if *code == Code::NotFound { span.fullname { (visible(chosen.name.as_str())) } }
                        @else { a.fullname href=(link("operation", &[("name", chosen.name.as_str())])) { (visible(chosen.name.as_str())) } }
                    }
                }
            })) }
        }
        p.buttons { a.button href=(back) { @if list.is_some() { "Back to the list" } @else { "All operations" } } }
    };
    let head = Head {
        title: &title,
        here: "./",
        is_below: true,
        ..Head::default()
    };
    frame(visit, StatusCode::OK, head, main).await
}
