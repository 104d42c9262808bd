//! The hosts that a server on this machine answers for: against DNS rebinding.

use core::net::IpAddr;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// The hosts that HTTP requests to a server on a loopback address may name: loopback ones, and those
/// that were allowed.
///
/// A web page can make its own name resolve to 127.0.0.1 and then call a server there as its own
/// origin. The host that such a request names is still that of the page.
///
/// ```
/// use lro_core::LocalHosts;
///
/// let mut hosts = LocalHosts::default();
/// hosts.allow("ops.local");
/// hosts.allow("dev.local:8443"); // with this port only
/// for host in ["localhost:8080", "127.0.0.1", "[::1]:50051", "OPS.local", "dev.local:8443"] {
///     assert!(hosts.allows(host), "{host}");
/// }
/// for host in ["evil.example", "localhost.evil.example", "dev.local", "user@localhost"] {
///     assert!(!hosts.allows(host), "{host}");
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct LocalHosts {
    allowed: Vec<String>,
}

impl LocalHosts {
    /// Allows a host besides loopback ones: with a port, or for any.
    pub fn allow(&mut self, host: impl Into<String>) {
        self.allowed.push(host.into());
    }

    /// Whether no host but loopback ones is allowed.
    pub fn is_loopback_only(&self) -> bool {
        self.allowed.is_empty()
    }

    /// Whether a request may name this host, which may have a port.
    pub fn allows(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        if authority.as_str().contains('@') {
            return false;
        }
        // A dot at the end is the same name.
        let name = authority.host().trim_end_matches('.');
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            || self.allowed.iter().any(|allowed| {
                allowed.eq_ignore_ascii_case(name)
                    || allowed.eq_ignore_ascii_case(authority.as_str())
            })
    }

    /// Checks the host of a request, which HTTP/2 has in its URI and HTTP/1.1 in a header.
    ///
    /// # Errors
    ///
    /// The host that is not allowed; empty if the request names none, or names several.
    pub fn check<'r>(&self, uri: &'r Uri, headers: &'r HeaderMap) -> Result<(), &'r str> {
        let mut named = headers.get_all(HOST).iter();
        let header = match (named.next(), named.next()) {
            (Some(value), None) => Some(value.to_str().unwrap_or_default()),
            (None, None) => None,
            _ => return Err(""),
        };
        // Where there are both, both count.
        let hosts = [uri.authority().map(Authority::as_str), header];
        if hosts.iter().all(Option::is_none) {
            return Err("");
        }
        let mut hosts = hosts.into_iter().flatten();
        match hosts.find(|host| !self.allows(host)) {
            None => Ok(()),
            Some(other) => Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn accepts(authority: Option<&str>, headers: &[&str]) -> bool {
        let uri = match authority {
            Some(authority) => format!("http://{authority}/v1/operations"),
            None => "/v1/operations".to_owned(),
        };
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(HOST, HeaderValue::from_str(header).unwrap());
        }
        let hosts = LocalHosts {
            allowed: vec!["ops.local".into(), "dev.local:8443".into()],
        };
        match uri.parse() {
            Ok(uri) => hosts.check(&uri, &map).is_ok(),
            Err(_) => false,
        }
    }

    /// report:W1
    #[test]
    fn loopback_and_allowed_hosts_are_answered() {
        for host in [
            "localhost",
            "LocalHost:8080",
            "localhost.",
            "127.0.0.1",
            "127.0.0.1:50051",
            "127.8.9.10",
            "[::1]",
            "[::1]:50051",
            "ops.local",
            "OPS.local:1",
            "dev.local:8443",
        ] {
            assert!(accepts(None, &[host]), "{host}");
            assert!(accepts(Some(host), &[]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evil-localhost",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "0.0.0.0",
            "[::2]",
            "user@localhost",
            "dev.local:8444",
            "dev.local",
            "",
            ":8080",
        ] {
            assert!(!accepts(None, &[host]), "{host}");
        }
        assert!(!accepts(None, &[]), "no host");
        assert!(!accepts(None, &["localhost", "localhost"]), "two hosts");
        assert!(!accepts(Some("localhost"), &["evil.example"]));
        assert!(!accepts(Some("evil.example"), &["localhost"]));
    }
}
