//! The operations beside one in the list from which it was opened: the same filter, the same order.

use std::time::Duration;

use http::Response;
use lro_core::Timestamp;
use maud::{Markup, html};
use tonic::Status;
use tonic::body::Body;

use super::super::fault;
use super::super::operations::Wanted;
use super::name_of;
use crate::answer::see_other;
use crate::route::Visit;
use crate::source::{Record, View};
use crate::text::rfc3339;

/// How many rows are read at once.
const PAGE: i32 = 50;

/// The most pages that one search reads.
const MAX_PAGES: usize = 10;

/// Lists begin with the newest, so the next newer one is the last of those in a short time. Each span is
/// tried until one has an operation.
const SPANS: [Option<Duration>; 5] = [
    Some(Duration::from_secs(1)),
    Some(Duration::from_secs(60)),
    Some(Duration::from_secs(3_600)),
    Some(Duration::from_secs(24 * 3_600)),
    None,
];

/// The links to the list and to the operations beside this one. They cost nothing until they are followed.
pub(super) fn links(visit: &Visit, view: &View) -> Markup {
    let wanted = Wanted::of(&visit.query);
    let has_order = view.record.as_ref().and_then(Record::create_time).is_some();
    let end = match visit.query.get("end") {
        "newer" => "No newer one in this list.",
        "older" => "No older one in this list.",
        _ => "",
    };
    html! {
        nav.way aria-label="In the list" {
            a #back href=(wanted.link(wanted.chip, &wanted.token)) { "← Operations" }
            @if has_order {
                a #newer rel="prev" href=(wanted.beside(view.name(), "newer")) { "↑ Newer" }
                a #older rel="next" href=(wanted.beside(view.name(), "older")) { "↓ Older" }
            }
            @if !wanted.chip.is_empty() { span.quiet { "of those that are " (wanted.chip) } }
            @if !wanted.filter.is_empty() { code.quiet { (crate::text::visible(&wanted.filter)) } }
            @if !end.is_empty() { span role="status" { (end) } }
        }
    }
}

/// Leads to the operation beside one, or back to it at the end of the list.
pub(crate) async fn show(visit: &Visit) -> Response<Body> {
    let wanted = Wanted::of(&visit.query);
    let is_older = visit.query.get("to") == "older";
    match find(visit, &wanted, is_older).await {
        Ok(Some(name)) => see_other(&wanted.operation(&name, "")),
        Ok(None) => {
            let end = if is_older { "older" } else { "newer" };
            see_other(&wanted.operation(visit.query.get("name"), end))
        }
        Err(status) => fault::show(visit, &status).await,
    }
}

async fn find(visit: &Visit, wanted: &Wanted, is_older: bool) -> Result<Option<String>, Status> {
    let name = name_of(&visit.query)?;
    let view = visit.settings.source.get(&visit.visitor, &name).await?;
    let (Some(created), Some(own)) = (created(&view), key(&view)) else {
        return Ok(None);
    };
    let at = rfc3339(created);
    if is_older {
        let older = |view: &View| key(view).is_some_and(|key| key < own);
        let bound = format!("create_time <= \"{at}\"");
        let mut search = Search::new(visit, wanted, &bound);
        while let Some(views) = search.next().await? {
            if let Some(found) = views.iter().find(|view| older(view)) {
                return Ok(Some(found.name().to_owned()));
            }
        }
        return Ok(None);
    }
    for span in SPANS {
        let mut bound = format!("create_time >= \"{at}\"");
        if let Some(span) = span {
            let until = rfc3339(created.saturating_add(span));
            bound.push_str(&format!(" AND create_time <= \"{until}\""));
        }
        let mut newer = None;
        let mut search = Search::new(visit, wanted, &bound);
        while let Some(views) = search.next().await? {
            let above = views
                .iter()
                .take_while(|view| key(view).is_some_and(|key| key > own));
            newer = above.last().map(|view| view.name().to_owned()).or(newer);
        }
        if newer.is_some() {
            return Ok(newer);
        }
    }
    Ok(None)
}

fn created(view: &View) -> Option<Timestamp> {
    view.record.as_ref()?.create_time()
}

/// Its place in the order of lists.
fn key(view: &View) -> Option<(Timestamp, &str)> {
    Some((created(view)?, view.uid()))
}

/// The pages of a list within bounds.
struct Search<'a> {
    visit: &'a Visit,
    wanted: Wanted,
    left: usize,
}

impl<'a> Search<'a> {
    fn new(visit: &'a Visit, wanted: &Wanted, bound: &str) -> Self {
        let filter = match &*wanted.filter {
            "" => bound.to_owned(),
            filter => format!("({filter}) AND {bound}"),
        };
        let wanted = Wanted {
            filter,
            rows: PAGE,
            token: String::new(),
            ..wanted.clone()
        };
        Self {
            visit,
            wanted,
            left: MAX_PAGES,
        }
    }

    /// The next page; `None` after the last one.
    async fn next(&mut self) -> Result<Option<Vec<View>>, Status> {
        if self.left == 0 {
            return Ok(None);
        }
        let settings = &self.visit.settings;
        let parent = self.wanted.parent(&settings.parent)?;
        let options = self.wanted.options();
        let page = settings.source.list(&self.visit.visitor, parent, &options);
        let page = page.await?;
        self.left = if page.next_page_token.is_empty() {
            0
        } else {
            self.left - 1
        };
        self.wanted.token = page.next_page_token;
        Ok(Some(page.views))
    }
}
