//! The rows of the list, and what stands below them.

use lro_core::Timestamp;
use maud::{Markup, html};

use super::super::parts::{age, command, state};
use super::wanted::Wanted;
use crate::route::Visit;
use crate::row::Row;
use crate::source::{Action, Page, View};
use crate::text::{grouped, rfc3339, short_method, short_name, suffix_len, utc, visible};

/// The numbers of rows to choose from.
const SIZES: [i32; 3] = [50, 200, 1_000];

/// As many characters of a name as are shown at least.
const MIN_NAME: usize = 8;

/// The most characters of a name in a list that tells little else.
const MAX_NAME: usize = 48;

/// How often the script asks again for a list without operations, in seconds.
const EMPTY_REFRESH: u32 = 10;

pub(super) fn rows(visit: &Visit, wanted: &Wanted, page: &Page, now: Timestamp) -> Markup {
    let is_first = wanted.token.is_empty();
    if page.views.is_empty() {
        return nothing(wanted, page);
    }
    let names: Vec<&str> = page.views.iter().map(View::name).collect();
    let has_records = page.views.iter().any(|view| view.record.is_some());
    // A name alone may have more room.
    let len = if has_records {
        suffix_len(&names).max(MIN_NAME)
    } else {
        MAX_NAME
    };
    let newest = page.views[0].uid();
    let can_change = !visit.settings.is_read_only;
    html! {
        form #list action="./confirm" method="post" data-newest=[is_first.then_some(newest)] data-newest-name=[is_first.then_some(names[0])] data-filter=(wanted.filter) data-state=(wanted.chip) data-parent=(wanted.parent) {
            (wanted.inputs())
            div.scroll role="region" aria-label="Operations" tabindex="0" {
                table.operations.bare[!has_records] {
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
                        @for view in &page.views { (row(visit, wanted, view, len, has_records, now)) }
                    }
                }
            }
            @if page.views.len() < wanted.rows as usize && !page.next_page_token.is_empty() {
                p.note.short { "This page is short: the server has examined as many operations as one page may. More may match further on." }
            }
            div.foot {
                @if can_change {
                    fieldset.bulk {
                        legend.unseen { "Selected operations" }
                        span #selected.quiet { "Selected:" }
                        @for action in Action::ALL {
                            button type="submit" name="action" value=(action.verb()) data-label=(action.label()) { (action.label()) "…" }
                        }
                    }
                }
                (pager(wanted, page))
            }
        }
        (below(visit, wanted, page, now))
    }
}

/// Actions on all operations that match, and their files.
fn below(visit: &Visit, wanted: &Wanted, page: &Page, now: Timestamp) -> Markup {
    let is_part = !page.next_page_token.is_empty() || !wanted.token.is_empty();
    html! {
        div.foot {
            @if is_part && !visit.settings.is_read_only {
                form.matching action="./confirm" method="post" {
                    input type="hidden" name="matching" value=(rfc3339(now));
                    (wanted.inputs())
                    span.quiet { "All that match, on this page and the next ones:" }
                    @for action in Action::ALL {
                        button type="submit" name="action" value=(action.verb()) { (action.label()) " all…" }
                    }
                }
            }
            p.export {
                span.quiet { "Export:" }
                @for format in ["csv", "ndjson"] { " " a href=(wanted.export_link(format)) download { (format) } }
            }
        }
    }
}

fn row(
    visit: &Visit,
    wanted: &Wanted,
    view: &View,
    len: usize,
    has_records: bool,
    now: Timestamp,
) -> Markup {
    let row = Row::of(view, &visit.settings.types, now);
    let name = view.name();
    let short = short_name(name, len);
    html! {
        tr data-name=(name) data-revision=(row.revision) {
            @if !visit.settings.is_read_only {
                td.pick { input type="checkbox" name="operation" value=(format!("{} {name}", view.uid())) aria-label=(format!("Select {short}")); }
            }
            td.state { (state(row.state)) }
            td.name { a href=(wanted.operation(name, "")) title=(visible(name)) { (short) } }
            @if has_records {
                @let method = view.record.as_ref().map_or("", |record| &record.wire().method);
                td.method title=(visible(method)) { (visible(short_method(method))) }
            }
            td.progress {
                progress max="100" value=[row.percent] hidden[row.percent.is_none()] aria-label=(format!("Progress of {short}")) {}
                span.note data-warns[row.warns] { (row.note) }
            }
            @if has_records {
                @if let Some(record) = &view.record {
                    td.by { (visible(&record.wire().principal)) }
                    td.created { @if let Some(created) = record.create_time() { (age(created, now)) } }
                    td.took data-since=[&row.since] { (row.took) }
                } @else {
                    td.by {} td.created {} td.took {}
                }
            }
        }
    }
}

fn nothing(wanted: &Wanted, page: &Page) -> Markup {
    let is_final = page.next_page_token.is_empty() && wanted.token.is_empty();
    let is_filtered = !wanted.filter.is_empty() || !wanted.chip.is_empty();
    html! {
        // A page without rows follows none: it looks again.
        div #empty.empty data-part data-refresh=[is_final.then_some(EMPTY_REFRESH)] {
            @if !page.next_page_token.is_empty() {
                h2 { "None among the newest" }
                p { "The server examined as many operations as one page may, and none of them matches. It has not examined the older ones yet." }
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
                        a.button href=(wanted.cleared().link(wanted.chip, "")) { "Clear the filter" }
                    }
                } @else {
                    p { a.button href=(wanted.cleared().link("", "")) { "All operations" } }
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
            span.quiet { (grouped(count as u64)) @if count == 1 { " row" } @else { " rows" } ", at most " }
            @for size in SIZES {
                @let sized = Wanted { rows: size, ..wanted.clone() };
                a href=(sized.link(wanted.chip, "")) aria-current=[(size == wanted.rows).then_some("true")] { (grouped(size as u64)) }
            }
            @if !wanted.token.is_empty() { a.button href=(wanted.link(wanted.chip, "")) rel="first" { "Newest" } }
            @if !page.next_page_token.is_empty() {
                a.button href=(wanted.link(wanted.chip, &page.next_page_token)) rel="next" { "Next page →" }
            }
        }
    }
}
