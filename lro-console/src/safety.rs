//! Which requests are answered at all: hosts against DNS rebinding, origins against pages of others.

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri};
use lro_core::LocalHosts;

/// The hosts and origins that a console answers for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Safety {
    /// Hosts besides loopback ones.
    pub(crate) hosts: LocalHosts,
    /// Whether hosts that are neither loopback nor allowed are answered, too.
    pub(crate) any_host: bool,
    /// The origins of a proxy that changes the host.
    pub(crate) origins: Vec<String>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsafe {
    /// It names a host that is not this console's.
    Host,
    /// A page of another site has made it.
    Origin,
}

impl Unsafe {
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Host => {
                "this console does not answer for the host that the request names; \
                 use localhost, or allow the host with Console::allow_host"
            }
            Self::Origin => {
                "this request was not made by a page of this console; if a proxy changes the host, \
                 name its origin with Console::public_origin"
            }
        }
    }
}

impl Safety {
    /// Whether the console answers for the host of the request. A web page can make its own name
    /// resolve to 127.0.0.1; the request then names the host of the page.
    pub(crate) fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Unsafe> {
        if self.any_host && self.hosts.is_loopback_only() {
            return Ok(());
        }
        self.hosts.check(uri, headers).map_err(|_| Unsafe::Host)
    }

    /// Whether a page of this console has made a request that changes something.
    ///
    /// Browsers say so in `Sec-Fetch-Site`, but not over plain HTTP off loopback: there the origin
    /// has to be the host. A request with neither is refused.
    pub(crate) fn check_origin(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Unsafe> {
        let origin = headers.get(ORIGIN);
        let is_public = origin.is_some_and(|origin| {
            let mut known = self.origins.iter();
            known.any(|known| known.as_bytes() == origin.as_bytes())
        });
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let is_own = match site {
            Some(site) => site == b"same-origin",
            None => is_public || origin.is_some_and(|origin| is_own_host(origin, uri, headers)),
        };
        if is_own { Ok(()) } else { Err(Unsafe::Origin) }
    }
}

/// Whether the origin is the host that the request is for.
fn is_own_host(origin: &HeaderValue, uri: &Uri, headers: &HeaderMap) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let Some((_, authority)) = origin.split_once("://") else {
        return false;
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(Authority::as_str));
    host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    #[test]
    fn only_known_hosts_are_answered() {
        let mut safety = Safety::default();
        safety.hosts.allow("ops.example");
        safety.hosts.allow("dev.local:8443");
        let uri = Uri::from_static("/");
        let check = |safety: &Safety, host| safety.check_host(&uri, &headers(&[("host", host)]));
        for host in [
            "localhost:1",
            "127.0.0.1",
            "[::1]:80",
            "OPS.example",
            "dev.local:8443",
        ] {
            assert_eq!(check(&safety, host), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "user@localhost",
            "dev.local",
            "10.0.0.1",
            "",
        ] {
            assert_eq!(check(&safety, host), Err(Unsafe::Host), "{host}");
        }
        assert_eq!(
            safety.check_host(&uri, &HeaderMap::new()),
            Err(Unsafe::Host)
        );
        let any = Safety {
            any_host: true,
            ..Safety::default()
        };
        assert_eq!(check(&any, "ops.example"), Ok(()));
    }

    #[test]
    fn only_own_pages_change_anything() {
        let safety = Safety {
            origins: vec!["https://ops.example".to_owned()],
            ..Safety::default()
        };
        let uri = Uri::from_static("/");
        let check = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = headers(pairs);
            headers.insert(HOST, HeaderValue::from_static("intranet:8080"));
            safety.check_origin(&uri, &headers).is_ok()
        };
        assert!(check(&[("sec-fetch-site", "same-origin")]));
        assert!(check(&[("origin", "http://intranet:8080")]));
        assert!(check(&[("origin", "https://ops.example")]));
        assert!(!check(&[]));
        assert!(!check(&[("sec-fetch-site", "cross-site")]));
        assert!(!check(&[("sec-fetch-site", "same-site")]));
        assert!(!check(&[("sec-fetch-site", "none")]));
        assert!(!check(&[("origin", "null")]));
        assert!(!check(&[("origin", "http://intranet")]));
        // `Sec-Fetch-Site` stands above the origin.
        assert!(!check(&[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://intranet:8080"),
        ]));
    }
}
