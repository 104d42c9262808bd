//! Sign-in by a form, and tokens that expire.

use std::time::Duration;

use base64::Engine as _;
use http::header::{COOKIE, HOST, REFERER, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::Full;
use lro_core::Clock as _;
use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
use tonic::Status;

use crate::fixture::{Fixture, Page, body_of, send};

/// Knows tokens that name `ada` before their signature.
#[derive(Debug)]
pub(crate) struct Tokens;

#[tonic::async_trait]
impl Authorizer for Tokens {
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        let token = caller.header("authorization").unwrap_or_default();
        if token.starts_with("Bearer ") && token.ends_with(".ada") {
            return Ok(Principal::new("ada"));
        }
        Err(Status::unauthenticated("no token, or not a good one"))
    }

    async fn authorize(&self, _call: &Call<'_>) -> Result<Access, Status> {
        Ok(Access::Allowed)
    }
}

#[tokio::test]
async fn a_token_that_expires_leads_back_to_the_same_view() {
    let fixture = Fixture::guarded(Tokens);
    let name = fixture.running(1, 2).await;
    let console = fixture.console().sign_in();
    let get = async |path: &str, cookie: &str| -> Page {
        let request = Request::get(path)
            .header(HOST, "ops.example")
            .header(COOKIE, cookie);
        send(&console, request.body(Full::default()).unwrap()).await
    };
    let post = async |path: &str, form: &[(&str, &str)], from: &str| -> Page {
        let request = Request::post(path)
            .header(HOST, "ops.example")
            .header("sec-fetch-site", "same-origin")
            .header(REFERER, format!("https://ops.example/console/{from}"));
        send(&console, request.body(body_of(form)).unwrap()).await
    };
    let view = format!("operation?name={name}");
    let asked = get(&format!("/console/{view}"), "").await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    let back = format!("name=\"to\" value=\"./{view}\"");
    assert!(asked.text.contains(&back), "{}", asked.text);

    let expires = fixture.clock.now().as_micros() / 1_000_000 + 60;
    let claims = format!("{{\"exp\":{expires}}}");
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
    let token = format!("e30.{claims}.ada");
    let to = format!("./{view}");
    let form = [("token", &*token), ("to", &*to)];
    let entered = post("/console/login", &form, &view).await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER, "{}", entered.text);
    assert_eq!(entered.location(), to);
    let set = entered.headers[SET_COOKIE].to_str().unwrap();
    for part in [
        "__Host-",
        "; Max-Age=60",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Strict",
    ] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains(&token));
    let cookie = set.split(';').next().unwrap();
    let shown = get(&format!("/{view}"), cookie).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(shown.text.contains("Sign out") && shown.text.contains("ada"));

    fixture.clock.advance(Duration::from_secs(61));
    let over = get(&format!("/{view}"), cookie).await;
    assert_eq!(over.status, StatusCode::UNAUTHORIZED);
    assert!(over.text.contains(&back), "{}", over.text);
    // A form that was sent too late leads back to the page that it was on.
    let chosen = format!(" {name}");
    let form = [("action", "cancel"), ("operation", &*chosen)];
    let late = post("/console/confirm", &form, &view).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    assert!(late.text.contains(&back), "{}", late.text);

    let wrong = post("/login", &[("token", "e30.e30.bob"), ("to", &to)], &view).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text.contains(&back) && wrong.text.contains("not a good one"));
    let odd = post("/login", &[("token", "a b")], "").await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    let out = post("/logout", &[], "").await;
    assert!(
        out.headers[SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    // A console without the form has no such pages.
    let request = Request::post("/login")
        .header(HOST, "ops.example")
        .header("sec-fetch-site", "same-origin");
    let form = [("token", &*token)];
    let none = send(&fixture.console(), request.body(body_of(&form)).unwrap()).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}
