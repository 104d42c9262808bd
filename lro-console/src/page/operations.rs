//! The list of operations.

use http::{Response, StatusCode};
use lro_core::{ListOptions, ParentPattern, Reason, Timestamp};
use maud::{Markup, html};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::fault::{self, http_status};
use super::parts::{age, command, shell_word, state};
use super::{Head, frame};
use crate::params::{Params, link};
use crate::route::Visit;
use crate::row::Row;
use crate::source::{Action, Page, View};
use crate::text::{short_method, short_name, suffix_len, utc, visible};

/// How many rows a page has, unless the visitor wants another number.
pub(crate) const DEFAULT_ROWS: i32 = 50;

/// The most rows of a page.
pub(crate) const MAX_ROWS: i32 = 1_000;

const SIZES: [i32; 3] = [50, 200, 1_000];

/// The filter of each chip.
const CHIPS: [(&str, &str, &str); 6] = [
    ("", "All", ""),
    ("pending", "Pending", "state = PENDING"),
    (
        "running",
        "Running",
        "(state = RUNNING OR state = CANCELLING)",
    ),
    ("failed", "Failed", "state = FAILED"),
    ("succeeded", "Succeeded", "state = SUCCEEDED"),
    ("cancelled", "Cancelled", "state = CANCELLED"),
];

/// The list that a visitor wants to see. All of it stands in the address.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) filter: String,
    pub(crate) chip: &'static str,
    /// The parent as the visitor gave it; empty for that of the console.
    pub(crate) parent: String,
    pub(crate) rows: i32,
    pub(crate) token: String,
}

impl Wanted {
    pub(crate) fn of(params: &Params) -> Self {
        let chip = params.get("state");
        let chip = CHIPS.iter().find(|(key, ..)| *key == chip);
        let rows = params.get("rows").parse().unwrap_or(DEFAULT_ROWS);
        Self {
            filter: params.get("filter").trim().to_owned(),
            chip: chip.map_or("", |(key, ..)| key),
            parent: params.get("parent").to_owned(),
            rows: rows.clamp(1, MAX_ROWS),
            token: params.get("page").to_owned(),
        }
    }

    /// The filter of the visitor and of the chip together, and where that of the visitor begins.
    pub(crate) fn whole_filter(&self) -> (String, usize) {
        let chip = CHIPS.iter().find(|(key, ..)| *key == self.chip);
        let of_chip = chip.map_or("", |(.., filter)| filter);
        match (self.filter.is_empty(), of_chip.is_empty()) {
            (_, true) => (self.filter.clone(), 0),
            (true, false) => (of_chip.to_owned(), 0),
            (false, false) => (format!("({}) AND {of_chip}", self.filter), 1),
        }
    }

    pub(crate) fn options(&self) -> ListOptions {
        let (filter, _) = self.whole_filter();
        let options = ListOptions::new().filter(filter).page_size(self.rows);
        options.page_token(self.token.clone())
    }

    /// # Errors
    ///
    /// INVALID_ARGUMENT for a text that is no parent.
    pub(crate) fn parent(&self, default: &ParentPattern) -> Result<ParentPattern, Status> {
        if self.parent.is_empty() {
            return Ok(default.clone());
        }
        let parsed = self.parent.parse();
        parsed.map_err(|error| Reason::InvalidField.field_status("parent", format!("{error}")))
    }

    fn link(&self, chip: &str, token: &str) -> String {
        let rows = if self.rows == DEFAULT_ROWS {
            String::new()
        } else {
            self.rows.to_string()
        };
        link(
            "",
            &[
                ("filter", &self.filter),
                ("state", chip),
                ("parent", &self.parent),
                ("rows", &rows),
                ("page", token),
            ],
        )
    }
}

/// The page.
pub(crate) async fn show(visit: &Visit) -> Response<Body> {
    let wanted = Wanted::of(&visit.query);
    let settings = &visit.settings;
    let page = match wanted.parent(&settings.parent) {
        Ok(parent) => {
            let options = wanted.options();
            settings.source.list(&visit.visitor, parent, &options).await
        }
        Err(status) => Err(status),
    };
    let now = settings.source.now();
    let (status, table) = match &page {
        Ok(page) => (StatusCode::OK, rows(visit, &wanted, page, now)),
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
        (filter_form(visit, &wanted))
        nav.chips aria-label="States" {
            @for (key, label, _) in CHIPS {
                a href=(wanted.link(key, "")) aria-current=[(wanted.chip == key).then_some("true")] data-chip=(key) { (label) }
            }
        }
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
    };
    frame(visit, status, head, main).await
}

fn filter_form(visit: &Visit, wanted: &Wanted) -> Markup {
    html! {
        form.filter action="./" method="get" role="search" {
            label for="filter" { "Filter" }
            input #filter name="filter" value=(wanted.filter) spellcheck="false" autocomplete="off"
                autocapitalize="none" placeholder="labels.team = \"data\" AND create_time > \"2026-11-29T08:00:00Z\"" maxlength="4096";
            @if !wanted.chip.is_empty() { input type="hidden" name="state" value=(wanted.chip); }
            @if wanted.rows != DEFAULT_ROWS { input type="hidden" name="rows" value=(wanted.rows); }
            @if !wanted.parent.is_empty() || !visit.settings.parent.as_str().is_empty() {
                label for="parent" { "Parent" }
                input #parent name="parent" value=(wanted.parent) placeholder=(visit.settings.parent.as_str()) spellcheck="false" autocomplete="off";
            }
            button type="submit" { "Apply" }
            @if !wanted.filter.is_empty() { a.button href=(cleared(wanted).link(wanted.chip, "")) { "Clear" } }
        }
    }
}

fn cleared(wanted: &Wanted) -> Wanted {
    Wanted {
        filter: String::new(),
        ..wanted.clone()
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

fn rows(visit: &Visit, wanted: &Wanted, page: &Page, now: Timestamp) -> Markup {
    let is_first = wanted.token.is_empty();
    if page.views.is_empty() {
        return nothing(wanted, page);
    }
    let names: Vec<&str> = page.views.iter().map(View::name).collect();
    let len = suffix_len(&names);
    let newest = page.views[0].uid();
    let can_change = !visit.settings.is_read_only;
    let has_records = page.views.iter().any(|view| view.record.is_some());
    html! {
        form #list action="./confirm" method="post" data-newest=[is_first.then_some(&newest)] data-filter=(wanted.filter) data-state=(wanted.chip) data-parent=(wanted.parent) {
            a #new.new href=(wanted.link(wanted.chip, "")) hidden { "new operations" }
            div.scroll role="region" aria-label="Operations" tabindex="0" {
                table.operations {
                    caption.unseen { "Operations, newest first, as of " (utc(now)) }
                    thead { tr {
                        @if can_change { th.pick scope="col" { input #all type="checkbox" aria-label="Select all on this page" hidden; } }
                        th.state scope="col" { "State" }
                        th.name scope="col" { "Name" }
                        @if has_records { th.method scope="col" { "Method" } }
                        th.progress scope="col" { "Progress" }
                        @if has_records {
                            th.by scope="col" { "By" }
                            th.created scope="col" { "Created" }
                            th.took scope="col" { "Took" }
                        }
                    } }
                    tbody {
                        @for view in &page.views { (row(visit, view, len, can_change, has_records, now)) }
                    }
                }
            }
            div.foot {
                @if can_change {
                    fieldset.bulk {
                        legend.unseen { "Selected operations" }
                        span #selected.quiet { "Selected:" }
                        @for action in [Action::Cancel, Action::Delete] {
                            button type="submit" name="action" value=(action.verb()) { (action.label()) "…" }
                        }
                    }
                }
                (pager(wanted, page))
            }
        }
    }
}

fn row(
    visit: &Visit,
    view: &View,
    len: usize,
    can_change: bool,
    has_records: bool,
    now: Timestamp,
) -> Markup {
    let row = Row::of(view, &visit.settings.types, now);
    let name = view.name();
    let short = short_name(name, len);
    html! {
        tr data-name=(name) data-revision=(row.revision) {
            @if can_change {
                td.pick { input type="checkbox" name="operation" value=(format!("{} {name}", view.uid())) aria-label=(format!("Select {short}")); }
            }
            td.state { (state(row.state)) }
            td.name { a href=(link("operation", &[("name", name)])) title=(visible(name)) { (short) } }
            @if has_records {
                @let method = view.record.as_ref().map_or("", |record| &record.method);
                td.method title=(visible(method)) { (visible(short_method(method))) }
            }
            td.progress {
                progress max="100" value=[row.percent] hidden[row.percent.is_none()] aria-label=(format!("Progress of {short}")) {}
                span.note { (row.note) }
            }
            @if has_records {
                @if let Some(record) = &view.record {
                    td.by { (visible(&record.origin.principal)) }
                    td.created { (age(record.create_time, now)) }
                    td.took { (row.took) }
                } @else {
                    td.by {} td.created {} td.took {}
                }
            }
        }
    }
}

fn nothing(wanted: &Wanted, page: &Page) -> Markup {
    let is_filtered = !wanted.filter.is_empty() || !wanted.chip.is_empty();
    html! {
        div.empty {
            @if !page.next_page_token.is_empty() {
                h2 { "Nothing yet among those that were looked at" }
                p { "The server has examined as many operations as one page may, and found none that matches. There are more." }
                p { a.button href=(wanted.link(wanted.chip, &page.next_page_token)) { "Look further" } }
            } @else if !wanted.token.is_empty() {
                h2 { "The end of the list" }
                p { a.button href=(wanted.link(wanted.chip, "")) { "Newest operations" } }
            } @else if is_filtered {
                h2 { "No operation matches" }
                @if !wanted.chip.is_empty() && !wanted.filter.is_empty() {
                    p { "The filter and the state " b { (wanted.chip) } " together leave nothing." }
                    p {
                        a.button href=(wanted.link("", "")) { "Any state" } " "
                        a.button href=(cleared(wanted).link(wanted.chip, "")) { "Clear the filter" }
                    }
                } @else {
                    p { a.button href=(cleared(wanted).link("", "")) { "All operations" } }
                }
            } @else {
                h2 { "No operations yet" }
                p { "They appear here when a caller starts one by a long-running rpc of this server. On the command line:" }
                p { (command("lro methods")) }
                p { (command("lro start METHOD field=value")) }
            }
        }
    }
}

fn pager(wanted: &Wanted, page: &Page) -> Markup {
    let count = page.views.len();
    html! {
        nav.pager aria-label="Pages of the list" {
            span.quiet { (count) @if count == 1 { " row" } @else { " rows" } " · " }
            @for size in SIZES {
                @let sized = Wanted { rows: size, ..wanted.clone() };
                a href=(sized.link(wanted.chip, "")) aria-current=[(size == wanted.rows).then_some("true")] { (size) }
            }
            @if !wanted.token.is_empty() { a.button href=(wanted.link(wanted.chip, "")) rel="first" { "Newest" } }
            @if !page.next_page_token.is_empty() {
                a.button href=(wanted.link(wanted.chip, &page.next_page_token)) rel="next" { "Next page →" }
            }
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
