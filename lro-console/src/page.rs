//! The pages, and the frame that all of them stand in.

pub(crate) mod confirm;
pub(crate) mod fault;
pub(crate) mod operation;
pub(crate) mod operations;
pub(crate) mod overview;
pub(crate) mod parts;
pub(crate) mod settings;
pub(crate) mod sparkline;
pub(crate) mod timeline;
pub(crate) mod tree;

use http::{Response, StatusCode};
use maud::{DOCTYPE, Markup, html};
use tonic::body::Body;

use crate::answer;
use crate::assets::{ICON, SCRIPT, STYLE};
use crate::route::Visit;

/// The title of a page and its place in the navigation.
#[derive(Debug, Default)]
pub(crate) struct Head<'a> {
    /// The text of the tab, without the name of the console.
    pub(crate) title: &'a str,
    /// The link of the navigation that leads here.
    pub(crate) here: &'a str,
    /// Whether the page is one below that.
    pub(crate) is_below: bool,
    /// Whether the page is kept up to date: the header then shows how.
    pub(crate) is_live: bool,
}

/// A whole page.
pub(crate) async fn frame(
    visit: &Visit,
    status: StatusCode,
    head: Head<'_>,
    main: Markup,
) -> Response<Body> {
    let principal = visit.principal().await;
    let settings = &visit.settings;
    let console = if settings.title.is_empty() {
        "lro"
    } else {
        &settings.title
    };
    let now = settings.source.now();
    let nav = |link: &'static str, label: &'static str| {
        let is = if head.is_below { "true" } else { "page" };
        let current = (head.here == link).then_some(is);
        html! { a href=(link) aria-current=[current] { (label) } }
    };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (head.title) " – " (console) }
                link rel="icon" href=(ICON.link()) type="image/svg+xml";
                link rel="stylesheet" href=(STYLE.link());
                script type="module" src=(SCRIPT.link()) {}
            }
            body data-now=(now.as_micros() / 1_000) {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    a.brand href="./" { span.mark aria-hidden="true" { "◆" } (console) }
                    nav aria-label="Pages" {
                        (nav("./", "Operations"))
                        (nav("./overview", "Overview"))
                        (nav("./settings", "Settings"))
                    }
                    p.who {
                        @if settings.is_read_only { span.badge { "Read only" } }
                        @if !principal.is_empty() { span { (crate::text::visible(&principal)) } }
                        @if visit.is_signed_in { form.out action="./logout" method="post" { button type="submit" { "Sign out" } } }
                        @if head.is_live {
                            span #live.live data-state="off" hidden { span.dot aria-hidden="true" {} span.word { "connecting" } }
                            a #again href="./" hidden { "Sign in again" }
                        }
                        span #clock { "UTC" }
                    }
                }
                main #main tabindex="-1" {
                    @if head.is_live {
                        p #stale.band hidden { b.what {} ". The latest news came " time data-age {} ". " a href="" { "Reload" } }
                    }
                    (main)
                }
                div #announce.unseen role="status" aria-live="polite" {}
            }
        }
    };
    answer::page(status, markup, &visit.headers)
}
