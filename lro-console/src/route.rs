//! From a request to a page. The last segment of the path says which: so the console works below any
//! prefix.

use std::sync::Arc;

use http::header::{ALLOW, AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, request};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::metadata::MetadataMap;

use crate::console::Settings;
use crate::page::operation::neighbour;
use crate::page::{confirm, fault, operation, operations, overview, settings};
use crate::params::Params;
use crate::source::Visitor;
use crate::{action, assets, door, download, export, live, sign_in, step};

/// The most bytes of a form: 1,000 long names fit.
const MAX_FORM: usize = 1024 * 1024;

/// How long a form may take.
const FORM_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// One request, and what the pages need of it.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) settings: Arc<Settings>,
    pub(crate) visitor: Visitor,
    pub(crate) headers: HeaderMap,
    pub(crate) uri: Uri,
    pub(crate) query: Params,
    /// Whether a form was sent.
    pub(crate) is_post: bool,
    /// Whether the visitor has signed in at this console.
    pub(crate) is_signed_in: bool,
}

impl Visit {
    fn new(settings: Arc<Settings>, parts: request::Parts) -> Self {
        let mut headers = parts.headers.clone();
        let mut is_signed_in = false;
        if let Some(sign_in) = &settings.sign_in
            && !headers.contains_key(AUTHORIZATION)
            && let Some(token) = sign_in.token(&headers, settings.source.now())
        {
            sign_in::authorize(&mut headers, &token);
            is_signed_in = true;
        }
        let metadata = MetadataMap::from_headers(headers);
        Self {
            is_post: parts.method == Method::POST,
            is_signed_in,
            settings,
            visitor: Visitor::from_parts(metadata, parts.extensions, ()),
            query: Params::parse(parts.uri.query().unwrap_or_default()),
            headers: parts.headers,
            uri: parts.uri,
        }
    }

    /// The name of the visitor for the header of a page; empty if unknown.
    pub(crate) async fn principal(&self) -> String {
        let principal = self.settings.source.principal(&self.visitor).await;
        principal.unwrap_or_default()
    }
}

/// Answers one request.
pub(crate) async fn answer(settings: Arc<Settings>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let segment = parts.uri.path().rsplit('/').next().unwrap_or_default();
    let segment = segment.to_owned();
    let method = parts.method.clone();
    if let Err(why) = settings.safety.check_host(&parts.uri, &parts.headers) {
        return fault::refused(why);
    }
    if matches!(method, Method::GET | Method::HEAD)
        && let Some(asset) = assets::serve(&segment, &parts.headers)
    {
        return asset;
    }
    if let Some(door) = &settings.door {
        if segment == door::PAGE && method == Method::GET {
            return door.enter(Params::parse(parts.uri.query().unwrap_or_default()).get("key"));
        }
        if !door.admits(&parts.headers) {
            return door.closed();
        }
    }
    let visit = Visit::new(settings, parts);
    if matches!(method, Method::GET | Method::HEAD) {
        return match &*segment {
            "" => operations::show(&visit).await,
            "operation" => operation::show(&visit).await,
            "neighbour" => neighbour::show(&visit).await,
            "counts" => operations::chips::show(&visit).await,
            "export" => export::show(visit).await,
            "fields" => operations::fields::show(&visit).await,
            "overview" => overview::show(&visit).await,
            "operation.json" => download::operation(&visit).await,
            "settings" => settings::show(&visit).await,
            _ if is_post(&visit, &segment) => method_not_allowed("POST"),
            _ => fault::no_page(&visit).await,
        };
    }
    if method != Method::POST {
        return method_not_allowed("GET, HEAD, POST");
    }
    if !is_post(&visit, &segment) {
        return fault::no_page(&visit).await;
    }
    if let Err(why) = visit
        .settings
        .safety
        .check_origin(&visit.uri, &visit.headers)
    {
        return fault::refused(why);
    }
    let form = Limited::new(body, MAX_FORM).collect();
    let form = match timeout(FORM_TIMEOUT, form).await {
        Ok(Ok(form)) => form.to_bytes(),
        Ok(Err(_)) => return fault::plain(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long"),
        Err(_) => return fault::plain(StatusCode::REQUEST_TIMEOUT, "the form took too long"),
    };
    let form = Params::parse(&String::from_utf8_lossy(&form));
    match &*segment {
        "events" => live::events(visit, &form).await,
        "rows" => live::rows(&visit, &form).await,
        "confirm" => confirm::show(&visit, &form).await,
        "step" => step::change(&visit, &form).await,
        "login" => match &visit.settings.sign_in {
            Some(sign_in) => sign_in::sign_in(&visit, sign_in, &form).await,
            None => fault::no_page(&visit).await,
        },
        "logout" => sign_in::sign_out(),
        _ => action::act(&visit, &form).await,
    }
}

/// Whether there is a POST of this page. A read-only console has none that changes anything.
fn is_post(visit: &Visit, segment: &str) -> bool {
    match segment {
        "events" | "rows" => true,
        "login" | "logout" => visit.settings.sign_in.is_some(),
        "confirm" | "act" | "step" => !visit.settings.is_read_only,
        _ => false,
    }
}

fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = fault::plain(status, "this page takes other methods");
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
