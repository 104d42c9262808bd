//! A link that opens the console once, in one browser: for a console that acts with the credentials of
//! one person, on a machine that others use, too.

use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tonic::body::Body;
use uuid::Uuid;

use crate::answer::see_other;
use crate::page::fault;

/// The page that the link leads to.
pub(crate) const PAGE: &str = "enter";

/// The link's secret, and that of the browser that has used it.
#[derive(Debug)]
pub(crate) struct Door {
    key: String,
    is_used: AtomicBool,
    /// Browsers send cookies of one host to all of its ports, so the name tells consoles apart.
    cookie: String,
    session: String,
}

impl Door {
    pub(crate) fn new() -> Self {
        Self {
            key: secret(),
            is_used: AtomicBool::new(false),
            cookie: format!("lro-{}", &secret()[..12]),
            session: secret(),
        }
    }

    /// The relative link.
    pub(crate) fn link(&self) -> String {
        format!("{PAGE}?key={}", self.key)
    }

    /// Whether the browser has come in by the link.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        cookies(headers).any(|(name, value)| name == self.cookie && same(value, &self.session))
    }

    /// The answer to the link.
    pub(crate) fn enter(&self, key: &str) -> Response<Body> {
        if !same(key, &self.key) || self.is_used.swap(true, Ordering::Relaxed) {
            return self.closed();
        }
        let cookie = format!(
            "{}={}; HttpOnly; SameSite=Strict; Path=/",
            self.cookie, self.session
        );
        let mut response = see_other("./");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }

    /// The answer to browsers that have not come in by the link.
    pub(crate) fn closed(&self) -> Response<Body> {
        let text = if self.is_used.load(Ordering::Relaxed) {
            "the link to this console was used, by another browser or before its cookies were \
             deleted; start the console again for a new one"
        } else {
            "this console opens by the link that it has printed when it was started"
        };
        fault::plain(StatusCode::UNAUTHORIZED, text)
    }
}

/// The cookies of a request.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('='))
}

/// Random, with more than 240 bits.
fn secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// Compares digests: how long that takes says nothing of the secret.
fn same(given: &str, secret: &str) -> bool {
    Sha256::digest(given) == Sha256::digest(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_once_and_for_one_browser() {
        let door = Door::new();
        let key = door.link().split_once('=').unwrap().1.to_owned();
        assert_eq!(door.enter("wrong").status(), StatusCode::UNAUTHORIZED);
        let entered = door.enter(&key);
        assert_eq!(entered.status(), StatusCode::SEE_OTHER);
        let cookie = entered.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict"));
        assert_eq!(door.enter(&key).status(), StatusCode::UNAUTHORIZED);
        let pair = cookie.split(';').next().unwrap();
        let sends = |cookies: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_str(cookies).unwrap());
            door.admits(&headers)
        };
        assert!(sends(pair) && sends(&format!("a=b; {pair}")));
        let (name, value) = pair.split_once('=').unwrap();
        assert!(!sends(&format!("{name}={}x", &value[1..])));
        assert!(!sends(&format!("other={value}")));
        assert!(!door.admits(&HeaderMap::new()));
    }
}
