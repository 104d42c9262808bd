//! Does what a visitor has confirmed, and says what came of it.

use futures_util::stream::{self, StreamExt as _};
use http::{Response, StatusCode};
use lro_core::Reason;
use maud::html;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::answer::see_other;
use crate::page::confirm::{CONCURRENCY, Chosen, asked};
use crate::page::fault::{self, code_name};
use crate::page::{Head, frame};
use crate::params::{Params, link};
use crate::route::Visit;
use crate::source::Action;
use crate::text::visible;

/// The answer to a confirmed action: the operation again, or what came of each of several.
pub(crate) async fn act(visit: &Visit, form: &Params) -> Response<Body> {
    let (action, chosen) = match asked(form).and_then(|asked| counted(form, asked)) {
        Ok(asked) => asked,
        Err(status) => return fault::show(visit, &status).await,
    };
    let principal = visit.principal().await;
    let principal = &*principal;
    let outcomes = stream::iter(chosen).map(|it| async move {
        let outcome = once(visit, action, &it).await;
        audit(principal, action, &it, &outcome);
        (it, outcome)
    });
    let outcomes: Vec<_> = outcomes.buffered(CONCURRENCY).collect().await;
    match &*outcomes {
        [(_, Err(status))] => fault::show(visit, status).await,
        [(chosen, Ok(()))] if action == Action::Cancel => {
            see_other(&link("operation", &[("name", chosen.name.as_str())]))
        }
        [(_, Ok(()))] => see_other("./"),
        several => report(visit, action, several).await,
    }
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

async fn once(visit: &Visit, action: Action, chosen: &Chosen) -> Result<(), Status> {
    // Another operation may have the name by now.
    chosen.read(visit).await?;
    let source = &visit.settings.source;
    source.act(&visit.visitor, action, &chosen.name).await
}

/// One event for each operation.
fn audit(principal: &str, action: Action, chosen: &Chosen, outcome: &Result<(), Status>) {
    let code = outcome.as_ref().map_or_else(Status::code, |()| Code::Ok);
    tracing::info!(
        target: "lro_console::audit",
        principal,
        action = action.verb(),
        operation = %chosen.name,
        uid = chosen.uid,
        outcome = code_name(code),
        "console action"
    );
}

async fn report(
    visit: &Visit,
    action: Action,
    outcomes: &[(Chosen, Result<(), Status>)],
) -> Response<Body> {
    let failed = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_err())
        .count();
    let done = outcomes.len() - failed;
    let verb = match action {
        Action::Cancel => "Asked to cancel",
        Action::Delete => "Deleted",
    };
    let title = format!("{verb} {done} of {} operations", outcomes.len());
    let main = html! {
        h1 { (title) }
        @if failed > 0 {
            h2 { "Refused: " (failed) }
            ul.chosen {
                @for (chosen, outcome) in outcomes {
                    @if let Err(status) = outcome {
                        li {
                            b { (code_name(status.code())) }
                            a.fullname href=(link("operation", &[("name", chosen.name.as_str())])) { (visible(chosen.name.as_str())) }
                            span { (visible(status.message())) }
                        }
                    }
                }
            }
        }
        p { a.button href="./" { "All operations" } }
    };
    let head = Head {
        title: &title,
        ..Head::default()
    };
    frame(visit, StatusCode::OK, head, main).await
}
