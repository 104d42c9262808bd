//! Settings of this browser. They are kept there, not on the server.

use http::{Response, StatusCode};
use maud::html;
use tonic::body::Body;

use super::{Head, frame};
use crate::route::Visit;

/// A setting: its key in the browser's storage, its label, and its values with their names, the
/// default first.
type Setting = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const SETTINGS: [Setting; 5] = [
    (
        "theme",
        "Colours",
        &[("", "As the system"), ("light", "Light"), ("dark", "Dark")],
    ),
    (
        "zone",
        "Time zone",
        &[("", "UTC"), ("local", "This computer's")],
    ),
    (
        "density",
        "Rows",
        &[("", "Comfortable"), ("compact", "Compact")],
    ),
    (
        "live",
        "Live updates",
        &[("", "On"), ("off", "Off: reload to see changes")],
    ),
    ("keys", "Keyboard shortcuts", &[("", "On"), ("off", "Off")]),
];

const KEYS: [(&str, &str); 7] = [
    ("/", "go to the filter"),
    ("j, k", "next and previous row, or operation of the list"),
    ("x", "select the row"),
    ("Enter", "open the row"),
    ("c", "copy the name of the row or the page"),
    ("u", "back to the list"),
    ("?", "this page"),
];

/// The page.
pub(crate) async fn show(visit: &Visit) -> Response<Body> {
    let main = html! {
        h1 { "Settings" }
        p.quiet { "They are kept in this browser. There is no account." }
        noscript { p.note { "Settings need JavaScript. Everything but live updates works without it." } }
        form #settings.settings {
            @for (key, label, values) in SETTINGS {
                label for=(key) { (label) }
                select #(key) name=(key) {
                    @for (value, name) in values { option value=(value) { (name) } }
                }
            }
        }
        h2 { "Keys" }
        dl.keys {
            @for (key, does) in KEYS { div { dt { kbd { (key) } } dd { (does) } } }
        }
    };
    let head = Head {
        title: "Settings",
        here: "./settings",
        ..Head::default()
    };
    frame(visit, StatusCode::OK, head, main).await
}
