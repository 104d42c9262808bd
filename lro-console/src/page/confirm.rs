//! The question before an action: what it would do to which operations.

use futures_util::stream::{self, StreamExt as _};
use http::{Response, StatusCode};
use lro_core::{OperationName, Reason, Timestamp};
use maud::{Markup, html};
use tonic::body::Body;
use tonic::{Code, Status};
use uuid::Uuid;

use super::fault;
use super::operations::Wanted;
use super::parts::{age, groups, operations, state};
use super::{Head, frame};
use crate::params::{Params, link};
use crate::route::Visit;
use crate::source::{Action, View};
use crate::text::{cut, short_method, visible};

/// The most operations of one action.
pub(crate) const MAX_OPERATIONS: usize = 1_000;

/// How many of them are read at once.
pub(crate) const CONCURRENCY: usize = 16;

/// The most characters of a reason: servers take 256 bytes.
const MAX_REASON: usize = 120;

/// How many of those that match are read at once.
const PAGE: i32 = 500;

/// From this number on, it has to be typed.
const TYPED_FROM: usize = 2;

/// An operation as a page has named it: this one, even if another one gets its name.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// Empty where the source has none.
    pub(crate) uid: String,
    pub(crate) name: OperationName,
}

impl Chosen {
    /// Those that a form names.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT for none, too many, or what is no name.
    pub(crate) fn all(form: &Params) -> Result<Vec<Self>, Status> {
        let chosen: Result<Vec<_>, _> = form.all("operation").map(Self::parse).collect();
        let chosen = chosen?;
        let fault = |text: String| Err(Reason::InvalidField.field_status("operation", text));
        match chosen.len() {
            0 => fault("choose at least one operation".to_owned()),
            1..=MAX_OPERATIONS => Ok(chosen),
            many => fault(format!(
                "{many} operations are more than one action takes, {MAX_OPERATIONS}"
            )),
        }
    }

    fn parse(text: &str) -> Result<Self, Status> {
        let (uid, name) = text.split_once(' ').unwrap_or(("", text));
        let name = name.parse();
        let name = name
            .map_err(|error| Reason::InvalidField.field_status("operation", format!("{error}")))?;
        let uid = uid.to_owned();
        Ok(Self { uid, name })
    }

    /// The operation, if it is still this one.
    ///
    /// # Errors
    ///
    /// NOT_FOUND if another one has its name now, or those of a read.
    pub(crate) async fn read(&self, visit: &Visit) -> Result<View, Status> {
        let view = visit
            .settings
            .source
            .get(&visit.visitor, &self.name)
            .await?;
        if view.uid() == self.uid {
            return Ok(view);
        }
        let text = "another operation has this name now; nothing was done to it";
        Err(Reason::OperationNotFound.status(text, []))
    }

    pub(crate) fn value(&self) -> String {
        format!("{} {}", self.uid, self.name)
    }
}

/// The page that asks.
pub(crate) async fn show(visit: &Visit, form: &Params) -> Response<Body> {
    let asked = if form.get("matching").is_empty() {
        chosen(visit, form).await
    } else {
        matching(visit, form).await
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(status) => return fault::show(visit, &status).await,
    };
    let (action, views) = (asked.action, asked.views);
    let source = &visit.settings.source;
    let list = Wanted::remembered(form);
    let back = match (&list, &*views) {
        (Some(list), _) => list.back(""),
        (None, [(only, _)]) => link("operation", &[("name", only.name.as_str())]),
        (None, _) => "./".to_owned(),
    };
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for (chosen, view) in views {
        match possible(action, view) {
            Ok((view, effect)) => can.push((effect, (chosen, view))),
            Err(why) => cannot.push((why, chosen)),
        }
    }
    let count = can.len();
    let number = operations(count).into_string();
    let title = format!("{} {number}?", action.label());
    let (can, cannot) = (groups(can), groups(cannot));
    let main = html! {
        h1 { (title) }
        @if asked.has_more { p.note { "More operations match than one action takes. These are the newest " (MAX_OPERATIONS) "; do the same again for the others." } }
        @if !form.get("matching").is_empty() { (matched(form)) }
        @if can.is_empty() && cannot.is_empty() { p { "No operation matches now." } p { a.button href=(back) { "Back" } } }
        @if !can.is_empty() {
            form.confirm action="./act" method="post" {
                input type="hidden" name="action" value=(action.verb());
                @if let Some(list) = &list { (list.inputs()) }
                @if !cannot.is_empty() { p.note { (super::parts::operations(cannot.iter().map(|(_, them)| them.len()).sum())) " of those chosen are left alone, as listed below." } }
                @for (effect, operations) in &can {
                    @let warns = action == Action::Delete && operations.iter().any(|(_, view)| !view.operation.done);
                    (group(effect, operations.len(), warns, &html! {
                        @for (chosen, view) in operations { (entry(chosen, view, source.now())) }
                    }))
                }
                @if action == Action::Resubmit {
                    // The same form sent twice starts each operation once.
                    input type="hidden" name="once" value=(Uuid::new_v4());
                } @else if visit.settings.source.abilities().has_inspection {
                    label for="reason" { "Reason, for the record " span.quiet { "(optional)" } }
                    input #reason name="reason" maxlength=(MAX_REASON) autocomplete="off";
                }
                @if count >= TYPED_FROM {
                    label for="count" { "Type " b { (count) } " to confirm" }
                    input #count name="count" inputmode="numeric" pattern=(count) required autocomplete="off";
                }
                @if action == Action::Delete { p.note { "A deletion cannot be undone." } }
                p.buttons {
                    button.danger[action == Action::Delete].main[action != Action::Delete] type="submit" { (action.label()) " " (number) }
                    " " a.button href=(back) { "Back" }
                }
            }
        }
        @if !cannot.is_empty() {
            h2 { "Left alone" }
            @for (why, operations) in &cannot { (group(why, operations.len(), false, &html! {
                @for chosen in operations { li { span.fullname { (visible(chosen.name.as_str())) } } }
            })) }
            @if can.is_empty() { p { a.button href=(back) { "Back" } } }
        }
    };
    let head = Head {
        title: &title,
        here: "./",
        is_below: true,
        ..Head::default()
    };
    frame(visit, StatusCode::OK, head, main).await
}

/// The request of a form.
struct Asked {
    action: Action,
    views: Vec<(Chosen, Result<View, Status>)>,
    /// Whether more operations match than one action takes.
    has_more: bool,
}

/// The operations that a form names, as they are now.
async fn chosen(visit: &Visit, form: &Params) -> Result<Asked, Status> {
    let (action, chosen) = asked(form)?;
    let read = stream::iter(chosen).map(|it| async move {
        let view = it.read(visit).await;
        (it, view)
    });
    let views: Vec<_> = read.buffered(CONCURRENCY).collect().await;
    // An unknown visitor has no choice to confirm, and signs in first.
    let errors = views.iter().filter_map(|(_, view)| view.as_ref().err());
    let mut errors = errors.filter(|status| status.code() == Code::Unauthenticated);
    if let Some(unknown) = errors.next() {
        return Err(unknown.clone());
    }
    Ok(Asked {
        action,
        views,
        has_more: false,
    })
}

/// The operations that match a filter, of those that there were when the page was written. The
/// question names each of them, and the action takes these and no others.
async fn matching(visit: &Visit, form: &Params) -> Result<Asked, Status> {
    let action = action(form)?;
    let mut wanted = Wanted::of(form);
    let parent = wanted.parent(&visit.settings.parent)?;
    let before: jiff::Timestamp = form.get("matching").parse().map_err(|error| {
        Reason::InvalidField.field_status("matching", format!("is no time: {error}"))
    })?;
    let until = format!("create_time <= \"{before}\"");
    wanted.filter = match &*wanted.filter {
        "" => until,
        filter => format!("({filter}) AND {until}"),
    };
    wanted.rows = PAGE;
    // The form names the page that it stands on; the filter takes all pages.
    wanted.token.clear();
    let mut views = Vec::new();
    loop {
        let source = &visit.settings.source;
        let options = wanted.options();
        let page = source.list(&visit.visitor, parent.clone(), &options);
        let page = page.await?;
        for view in page.views {
            if let Ok(name) = view.name().parse() {
                let uid = view.uid().to_owned();
                views.push((Chosen { uid, name }, Ok(view)));
            }
        }
        wanted.token = page.next_page_token;
        if wanted.token.is_empty() || views.len() >= MAX_OPERATIONS {
            break;
        }
    }
    let has_more = views.len() > MAX_OPERATIONS || !wanted.token.is_empty();
    views.truncate(MAX_OPERATIONS);
    Ok(Asked {
        action,
        views,
        has_more,
    })
}

/// The action and the operations of a form.
pub(crate) fn asked(form: &Params) -> Result<(Action, Vec<Chosen>), Status> {
    Ok((action(form)?, Chosen::all(form)?))
}

fn action(form: &Params) -> Result<Action, Status> {
    let action = Action::parse(form.get("action"));
    action.ok_or_else(|| {
        let text = "is none of `cancel`, `resubmit` and `delete`";
        Reason::InvalidField.field_status("action", text)
    })
}

/// The effect on the operation, or the reason why there is none.
fn possible(action: Action, view: Result<View, Status>) -> Result<(View, &'static str), String> {
    let view = view.map_err(|status| status.message().to_owned())?;
    match action.effect(view.state()) {
        Ok(effect) => Ok((view, effect)),
        Err(why) => Err(why.to_owned()),
    }
}

/// Operations with the same effect, or the same reason.
pub(crate) fn group(text: &str, count: usize, warns: bool, entries: &Markup) -> Markup {
    html! {
        p.group data-warns[warns] { b { (operations(count)) } ": " (visible(text)) }
        ul.chosen tabindex="0" aria-label=(visible(text)) { (entries) }
    }
}

fn entry(chosen: &Chosen, view: &View, now: Timestamp) -> Markup {
    html! {
        li {
            input type="hidden" name="operation" value=(chosen.value());
            (state(view.state())) " " span.fullname { (visible(&cut(view.name(), 200))) }
            @if let Some(record) = &view.record {
                " " span.quiet {
                    (visible(short_method(&record.wire().method)))
                    @if let Some(created) = record.create_time() { ", " (age(created, now)) }
                }
            }
        }
    }
}

/// The list that the question is about.
fn matched(form: &Params) -> Markup {
    let (filter, _) = Wanted::of(form).whole_filter();
    html! {
        p {
            "All that " @if filter.is_empty() { "there are" } @else { "match " code { (visible(&filter)) } }
            ", and were created until " (visible(form.get("matching"))) ":"
        }
    }
}
