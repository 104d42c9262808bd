//! Sign-in with a bearer token, which the browser keeps sealed in a cookie.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use http::header::{AUTHORIZATION, HeaderName, REFERER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response};
use lro_core::{Reason, Timestamp};
use maud::{Markup, html};
use tonic::Status;
use tonic::body::Body;
use uuid::Uuid;

use crate::answer::see_other;
use crate::door::cookies;
use crate::page::fault;
use crate::params::Params;
use crate::route::Visit;
use crate::source::Visitor;

/// The name says to browsers: of this host alone, over TLS alone (or from this machine).
const COOKIE: &str = "__Host-lro-token";

/// Cookies of browsers end at 4 KiB.
const MAX_TOKEN: usize = 2_900;

const NONCE_LEN: usize = 24;

/// Seals tokens, so that a cookie from elsewhere is none of this console's.
#[derive(Clone)]
pub(crate) struct SignIn {
    key: [u8; 32],
}

impl SignIn {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// With a key of this process: its end signs everyone out.
    pub(crate) fn of_process() -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        // Two random ids have a few fixed bits; their digest has none.
        Self::new(<sha2::Sha256 as sha2::Digest>::digest(key).into())
    }

    fn seal(&self, token: &str) -> Option<String> {
        let mut sealed = Vec::with_capacity(NONCE_LEN + token.len() + 16);
        sealed.extend_from_slice(Uuid::new_v4().as_bytes());
        sealed.extend_from_slice(&Uuid::new_v4().as_bytes()[..NONCE_LEN - 16]);
        let nonce = XNonce::try_from(&*sealed).ok()?;
        let text = self.cipher().encrypt(&nonce, payload(token.as_bytes()));
        sealed.extend(text.ok()?);
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    fn open(&self, cookie: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        let token = self.cipher().decrypt(&nonce, payload(text)).ok()?;
        String::from_utf8(token).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.key.into())
    }

    /// The token that the browser has kept, unless it has expired.
    pub(crate) fn token(&self, headers: &HeaderMap, now: Timestamp) -> Option<String> {
        let (_, cookie) = cookies(headers).find(|(name, _)| *name == COOKIE)?;
        let token = self.open(cookie)?;
        let is_over = expires(&token).is_some_and(|end| end <= now.as_micros() / 1_000_000);
        (!is_over).then_some(token)
    }
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignIn")
    }
}

/// The purpose is sealed along.
fn payload(message: &[u8]) -> Payload<'_, '_> {
    Payload {
        msg: message,
        aad: b"lro-console token",
    }
}

/// The `exp` of a JWT, in seconds. Others have none that a console can read.
fn expires(token: &str) -> Option<i64> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    claims.get("exp")?.as_i64()
}

/// The headers of a visitor who has signed in here: those of a caller with that token.
pub(crate) fn authorize(headers: &mut HeaderMap, token: &str) {
    if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}")) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
}

/// The form, and where it leads back to: the same view.
pub(crate) fn form(visit: &Visit) -> Markup {
    let to = if visit.is_post {
        came_from(&visit.headers)
    } else {
        let path = visit.uri.path().rsplit('/').next().unwrap_or_default();
        let query = visit.uri.query().map(|query| format!("?{query}"));
        Some(format!("./{path}{}", query.unwrap_or_default()))
    };
    let to = to.filter(|to| !to.starts_with("./login"));
    html! {
        form.confirm action="./login" method="post" {
            input type="hidden" name="to" value=(to.as_deref().unwrap_or("./"));
            label for="token" { "Bearer token, as callers of the server send it" }
            input #token name="token" type="password" autocomplete="off" spellcheck="false" required maxlength=(MAX_TOKEN) aria-describedby="kept";
            p.quiet #kept { "This browser keeps it in a cookie that only this console can read, until it expires." }
            p.buttons { button.main type="submit" { "Sign in" } }
        }
    }
}

/// The page from which a form was sent.
fn came_from(headers: &HeaderMap) -> Option<String> {
    let referer = headers.get(REFERER)?.to_str().ok()?;
    let uri: http::Uri = referer.parse().ok()?;
    let path = uri.path().rsplit('/').next().unwrap_or_default();
    // The question that comes before an action exists for its form only.
    if matches!(path, "confirm" | "act") {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}"));
    Some(format!("./{path}{}", query.unwrap_or_default()))
}

/// The answer to the form.
pub(crate) async fn sign_in(visit: &Visit, sign_in: &SignIn, form: &Params) -> Response<Body> {
    let token = form.get("token").trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    let is_text = token.chars().all(|char| char.is_ascii_graphic());
    if token.is_empty() || !is_text || token.len() > MAX_TOKEN {
        let text = format!("is not a token: give at most {MAX_TOKEN} visible ASCII characters");
        let status = Reason::InvalidField.field_status("token", text);
        return fault::show(visit, &status).await;
    }
    let mut headers = visit.headers.clone();
    authorize(&mut headers, token);
    let extensions = visit.visitor.extensions().clone();
    let visitor = Visitor::from_parts(headers.into_metadata(), extensions, ());
    let source = &visit.settings.source;
    if let Err(status) = source.principal(&visitor).await {
        tracing::info!(target: "lro_console::audit", outcome = ?status.code(), "sign-in refused");
        return fault::show(visit, &status).await;
    }
    let Some(sealed) = sign_in.seal(token) else {
        let status = Status::internal("the token cannot be sealed");
        return fault::show(visit, &status).await;
    };
    let age = expires(token).map(|end| end.saturating_sub(source.now().as_micros() / 1_000_000));
    let age = age.map_or(String::new(), |age| format!("; Max-Age={}", age.max(0)));
    back(form.get("to"), &format!("{sealed}{age}"))
}

/// The answer to the button that signs out.
pub(crate) fn sign_out() -> Response<Body> {
    back("./", "; Max-Age=0")
}

/// Back to a page of this console, and of no other.
fn back(to: &str, cookie: &str) -> Response<Body> {
    let page = to.strip_prefix("./").filter(|page| {
        let path = page.split('?').next().unwrap_or_default();
        !path.contains(['/', '\\'])
    });
    let mut response = see_other(page.map_or("./", |_| to));
    let cookie = format!("{COOKIE}={cookie}; Secure; HttpOnly; SameSite=Strict; Path=/");
    let name: HeaderName = SET_COOKIE;
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(name, cookie);
    }
    response
}

/// Headers as metadata of a call.
trait IntoMetadata {
    fn into_metadata(self) -> tonic::metadata::MetadataMap;
}

impl IntoMetadata for HeaderMap {
    fn into_metadata(self) -> tonic::metadata::MetadataMap {
        tonic::metadata::MetadataMap::from_headers(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_sealed_token_opens_with_its_key_until_it_expires() {
        let sign_in = SignIn::new([7; 32]);
        let token = jwt(r#"{"sub":"ada","exp":1000}"#);
        let sealed = sign_in.seal(&token).unwrap();
        assert!(!sealed.contains(&token));
        let mut headers = HeaderMap::new();
        let cookie = format!("a=b; {COOKIE}={sealed}");
        headers.insert(
            http::header::COOKIE,
            HeaderValue::from_str(&cookie).unwrap(),
        );
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(sign_in.token(&headers, at(999)), Some(token));
        assert_eq!(sign_in.token(&headers, at(1_000)), None);
        let other = SignIn::of_process();
        assert_eq!(other.token(&headers, at(1)), None);
        for forged in ["", "x", "AAAA", &sealed[1..]] {
            assert_eq!(sign_in.open(forged), None);
        }
        assert_eq!(expires("opaque"), None);
        assert_eq!(expires(&jwt("{}")), None);
    }

    #[test]
    fn the_way_back_leads_nowhere_else() {
        for (to, location) in [
            ("./operation?name=a/b", "./operation?name=a/b"),
            ("./", "./"),
            ("https://evil.example/", "./"),
            ("//evil.example", "./"),
            (".//evil.example", "./"),
            ("./\\evil", "./"),
            ("./a\r\nset-cookie: x", "./"),
            ("", "./"),
        ] {
            let response = back(to, "x");
            assert_eq!(response.headers()["location"], location, "{to:?}");
        }
    }
}
