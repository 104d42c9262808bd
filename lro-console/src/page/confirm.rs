//! The question before an action: what it would do to which operations.

use futures_util::stream::{self, StreamExt as _};
use http::{Response, StatusCode};
use lro_core::{OperationName, Reason};
use maud::{Markup, html};
use tonic::Status;
use tonic::body::Body;

use super::fault;
use super::parts::state;
use super::{Head, frame};
use crate::params::{Params, link};
use crate::route::Visit;
use crate::source::{Action, View};
use crate::text::{cut, visible};

/// The most operations of one action.
pub(crate) const MAX_OPERATIONS: usize = 1_000;

/// How many of them are read at once.
pub(crate) const CONCURRENCY: usize = 16;

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
    let (action, chosen) = match asked(form) {
        Ok(asked) => asked,
        Err(status) => return fault::show(visit, &status).await,
    };
    let read = stream::iter(chosen.clone()).map(|it| async move {
        let view = it.read(visit).await;
        (it, view)
    });
    let views: Vec<_> = read.buffered(CONCURRENCY).collect().await;
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for (chosen, view) in views {
        match possible(action, view) {
            Ok(view) => can.push((chosen, view)),
            Err(why) => cannot.push((chosen, why)),
        }
    }
    let count = can.len();
    let title = match count {
        1 => format!("{} 1 operation?", action.label()),
        _ => format!("{} {count} operations?", action.label()),
    };
    let main = html! {
        h1 { (title) }
        @if !can.is_empty() {
            form.confirm action="./act" method="post" {
                input type="hidden" name="action" value=(action.verb());
                ul.chosen {
                    @for (chosen, view) in &can { (entry(chosen, view, action)) }
                }
                @if count >= TYPED_FROM {
                    label for="count" { "Type " b { (count) } " to confirm" }
                    input #count name="count" inputmode="numeric" pattern=(count) required autocomplete="off";
                }
                p.buttons {
                    button.danger type="submit" { (action.label()) " " (count) @if count == 1 { " operation" } @else { " operations" } }
                    " " a.button href=(back(&chosen)) { "Back" }
                }
            }
        }
        @if !cannot.is_empty() {
            h2 { "Left alone" }
            ul.chosen {
                @for (chosen, why) in &cannot {
                    li { span {} span.fullname { (visible(chosen.name.as_str())) } span.quiet { (visible(why)) } }
                }
            }
            @if can.is_empty() { p { a.button href=(back(&chosen)) { "Back" } } }
        }
    };
    let head = Head {
        title: &title,
        ..Head::default()
    };
    frame(visit, StatusCode::OK, head, main).await
}

/// The action and the operations of a form.
pub(crate) fn asked(form: &Params) -> Result<(Action, Vec<Chosen>), Status> {
    let action = Action::parse(form.get("action"));
    let action = action.ok_or_else(|| {
        Reason::InvalidField.field_status("action", "is neither `cancel` nor `delete`")
    })?;
    Ok((action, Chosen::all(form)?))
}

/// Whether the action would change the operation.
fn possible(action: Action, view: Result<View, Status>) -> Result<View, String> {
    let view = view.map_err(|status| status.message().to_owned())?;
    match action.effect(view.state()) {
        Some(_) => Ok(view),
        None => Err("it has ended, or its cancellation was already asked for".to_owned()),
    }
}

fn entry(chosen: &Chosen, view: &View, action: Action) -> Markup {
    html! {
        li {
            input type="hidden" name="operation" value=(chosen.value());
            (state(view.state())) span.fullname { (visible(&cut(view.name(), 200))) }
            @if let Some(effect) = action.effect(view.state()) { span.quiet { (effect) } }
        }
    }
}

fn back(chosen: &[Chosen]) -> String {
    match chosen {
        [only] => link("operation", &[("name", only.name.as_str())]),
        _ => "./".to_owned(),
    }
}
