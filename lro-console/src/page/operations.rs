//! The list of operations.

pub(crate) mod chips;
pub(crate) mod fields;
mod table;
mod wanted;

use http::{Response, StatusCode};
use maud::{Markup, html};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::fault::{self, http_status};
use super::parts::{command, done, shell_word};
use super::{Head, frame};
use crate::route::Visit;
use crate::text::visible;
pub(crate) use wanted::{DEFAULT_ROWS, Wanted};

/// The page.
pub(crate) async fn show(visit: &Visit) -> Response<Body> {
    let wanted = Wanted::of(&visit.query);
    let settings = &visit.settings;
    let (page, numbers) = match wanted.parent(&settings.parent) {
        Ok(parent) => {
            let options = wanted.options();
            let list = settings
                .source
                .list(&visit.visitor, parent.clone(), &options);
            tokio::join!(list, chips::numbers(visit, &wanted, &parent))
        }
        Err(status) => (Err(status.clone()), Err(status)),
    };
    let now = settings.source.now();
    let (status, table) = match &page {
        Ok(page) => (StatusCode::OK, table::rows(visit, &wanted, page, now)),
        Err(error) if is_about_filter(error) => {
            (StatusCode::BAD_REQUEST, filter_fault(&wanted, error))
        }
        Err(error) if error.code() == Code::InvalidArgument => {
            (StatusCode::BAD_REQUEST, fault::explain(error))
        }
        Err(error) => match http_status(error.code()) {
            StatusCode::NOT_FOUND => (StatusCode::NOT_FOUND, fault::explain(error)),
            _ => return fault::show(visit, error).await,
        },
    };
    let main = html! {
        h1.unseen { "Operations" }
        (done(visit.query.get("did")))
        (filter_form(visit, &wanted))
        (chips::chips(&wanted, numbers.as_ref().ok()))
        @if page.as_ref().is_ok_and(|page| page.views.iter().any(|view| view.record.is_none())) { (super::operation::no_record()) }
        (table)
        details.same {
            summary { "The same on the command line" }
            p { (command(&list_command(&wanted))) }
        }
    };
    let head = Head {
        title: "Operations",
        here: "./",
        is_live: page.is_ok(),
        ..Head::default()
    };
    frame(visit, status, head, main).await
}

fn filter_form(visit: &Visit, wanted: &Wanted) -> Markup {
    html! {
        form.filter action="./" method="get" role="search" {
            label for="filter" { "Filter" }
            span.completed {
                input #filter name="filter" value=(wanted.filter) spellcheck="false" autocomplete="off"
                    autocapitalize="none" placeholder="for example: done = false" maxlength="4096";
                ul #choices role="listbox" aria-label="Completions of the filter" hidden {}
            }
            @if !wanted.chip.is_empty() { input type="hidden" name="state" value=(wanted.chip); }
            @if wanted.rows != DEFAULT_ROWS { input type="hidden" name="rows" value=(wanted.rows); }
            @if !wanted.parent.is_empty() || !visit.settings.parent.as_str().is_empty() {
                label for="parent" { "Parent" }
                input #parent name="parent" value=(wanted.parent) placeholder=(visit.settings.parent.as_str()) spellcheck="false" autocomplete="off";
            }
            button type="submit" { "Apply" }
            @if !wanted.filter.is_empty() { a.button href=(wanted.cleared().link(wanted.chip, "")) { "Clear" } }
        }
    }
}

fn is_about_filter(error: &Status) -> bool {
    let info = error.get_details_error_info();
    info.is_some_and(|info| info.metadata.get("field").is_some_and(|it| it == "filter"))
}

/// The filter with a caret below the place that is wrong.
fn filter_fault(wanted: &Wanted, error: &Status) -> Markup {
    let (_, before) = wanted.whole_filter();
    let info = error.get_details_error_info();
    let offset = info.and_then(|info| info.metadata.get("offset")?.parse::<usize>().ok());
    let offset = offset.map(|offset| offset.saturating_sub(before));
    let offset = offset.filter(|offset| *offset <= wanted.filter.chars().count());
    let message = error.message();
    let message = message.strip_prefix("filter: ").unwrap_or(message);
    html! {
        div.fault role="alert" {
            p { "This filter is not valid." }
            @if let Some(offset) = offset {
                pre.caret aria-hidden="true" {
                    // Each character has one column, also a control character.
                    (wanted.filter.chars().map(|char| if char.is_control() { '·' } else { char }).collect::<String>())
                    "\n" (" ".repeat(offset)) "^"
                }
            }
            p { (visible(message)) }
        }
    }
}

fn list_command(wanted: &Wanted) -> String {
    let (filter, _) = wanted.whole_filter();
    let mut command = "lro list".to_owned();
    for (option, value) in [("--parent", &wanted.parent), ("--filter", &filter)] {
        if !value.is_empty() {
            command.push_str(&format!(" {option} {}", shell_word(value)));
        }
    }
    command
}
