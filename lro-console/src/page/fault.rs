//! Errors as pages: what failed, and what helps.

use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use maud::{Markup, html};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

pub(crate) use lro_core::{code_name, http_status};

use super::{Head, frame};
use crate::answer;
use crate::route::Visit;
use crate::safety::Unsafe;
use crate::sign_in;
use crate::source::Action;
use crate::text::{cut, visible};

/// The most characters of a message.
const MAX_MESSAGE: usize = 4_096;

/// The page of an error.
pub(crate) async fn show(visit: &Visit, status: &Status) -> Response<Body> {
    titled(visit, status, title(status.code())).await
}

/// The page of an action that changed nothing.
pub(crate) async fn refusal(visit: &Visit, status: &Status, action: Action) -> Response<Body> {
    let what = match action {
        Action::Cancel => "Not cancelled",
        Action::Resubmit => "Not resubmitted",
        Action::Delete => "Not deleted",
    };
    let title = format!("{what}: {}", title(status.code()).to_lowercase());
    titled(visit, status, &title).await
}

async fn titled(visit: &Visit, status: &Status, title: &str) -> Response<Body> {
    let http = http_status(status.code());
    let main = html! {
        h1 { (title) }
        @if status.code() == Code::Unauthenticated && visit.settings.sign_in.is_some() {
            // Without a token the message says nothing that the form does not.
            @if visit.is_signed_in || visit.is_post { p.note role="alert" { (visible(&cut(status.message(), MAX_MESSAGE))) } }
            (sign_in::form(visit))
        } @else {
            (explain(status))
            p.buttons {
                // The same address, by a link without a target.
                @if status.code() == Code::Unavailable && !visit.is_post { a.button href="" { "Try again" } " " }
                a.button href="./" { "All operations" }
            }
        }
    };
    let head = Head {
        title,
        ..Head::default()
    };
    let mut response = frame(visit, http, head, main).await;
    if http == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// An error in words: its message, its code, and what helps against it.
pub(crate) fn explain(status: &Status) -> Markup {
    let code = status.code();
    let info = status.get_details_error_info();
    html! {
        div.fault role="alert" {
            p { (visible(&cut(status.message(), MAX_MESSAGE))) }
            p.quiet {
                (code_name(code))
                @if let Some(info) = &info {
                    @if info.reason != code_name(code) { " · " (visible(&info.reason)) }
                    " · " (visible(&info.domain))
                }
            }
            @if let Some(help) = help(code) { p { (help) } }
        }
    }
}

fn help(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::Unauthenticated => {
            "The server does not know who you are. Sign in where this console is served, and come back."
        }
        Code::PermissionDenied => {
            "Ask the operators of this server for the permission that the message names."
        }
        Code::NotFound => {
            "It may have been deleted, or have expired: finished operations are kept for a time only."
        }
        Code::Unavailable => "Bodies that run continue. Try again in some seconds.",
        _ => return None,
    })
}

fn title(code: Code) -> &'static str {
    match code {
        Code::Unauthenticated => "Not signed in",
        Code::PermissionDenied => "Not allowed",
        Code::NotFound => "Not found",
        Code::Unavailable => "The store is unavailable",
        Code::InvalidArgument => "Not a valid request",
        _ => "Something failed",
    }
}

/// The page of a path that leads nowhere.
pub(crate) async fn no_page(visit: &Visit) -> Response<Body> {
    let main = html! {
        h1 { "No such page" }
        div.fault role="alert" { p { "There is nothing at this address." } }
        p { a.button href="./" { "All operations" } }
    };
    let head = Head {
        title: "No such page",
        ..Head::default()
    };
    frame(visit, StatusCode::NOT_FOUND, head, main).await
}

/// The answer to a request that no page of the console has made.
pub(crate) fn refused(why: Unsafe) -> Response<Body> {
    tracing::debug!(?why, "request of the console refused");
    plain(StatusCode::FORBIDDEN, why.explanation())
}

/// An answer in plain text.
pub(crate) fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let text = format!("{text}\n").into_bytes().into();
    let mut response = answer::response("text/plain; charset=utf-8", text, None);
    *response.status_mut() = status;
    response
}
