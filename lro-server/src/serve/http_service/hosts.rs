//! The hosts that a server answers for: against DNS rebinding.

use std::net::IpAddr;

use http::Request;
use http::header::HOST;
use http::uri::Authority;
use tokio::net::TcpListener;

/// The body of a refusal.
pub(super) const EXPLANATION: &str = "this server has no authorizer and listens on a loopback address, \
     so it answers for loopback hosts only; allow this host with Server::allow_host\n";

/// The names that requests may give as their host.
///
/// A web page can make its own name resolve to 127.0.0.1 and then call a server there as its own
/// origin. The host that such a request names is still that of the page.
#[derive(Debug)]
pub(in crate::serve) enum Hosts {
    Any,
    /// Loopback, and these.
    Loopback(Vec<String>),
}

impl Hosts {
    /// Those of a server on this listener; `is_guarded` if an authorizer decides on its calls.
    pub(in crate::serve) fn of(
        listener: &TcpListener,
        is_guarded: bool,
        allowed: Vec<String>,
    ) -> Self {
        let address = listener.local_addr();
        let is_loopback = address.is_ok_and(|address| address.ip().to_canonical().is_loopback());
        if is_loopback && !is_guarded {
            Self::Loopback(allowed)
        } else {
            Self::Any
        }
    }

    /// Whether the request is for this server; otherwise the host that it names.
    pub(super) fn check<'r, B>(&self, request: &'r Request<B>) -> Result<(), &'r str> {
        let Self::Loopback(allowed) = self else {
            return Ok(());
        };
        let mut named = request.headers().get_all(HOST).iter();
        let header = match (named.next(), named.next()) {
            (Some(value), None) => Some(value.to_str().unwrap_or_default()),
            (None, None) => None,
            _ => Some(""),
        };
        let authority = request.uri().authority().map(Authority::as_str);
        // HTTP/2 has the one, HTTP/1.1 the other; where there are both, both count.
        let hosts = [authority, header];
        if hosts.iter().all(Option::is_none) {
            return Err("");
        }
        match hosts
            .into_iter()
            .flatten()
            .find(|host| !is_allowed(host, allowed))
        {
            None => Ok(()),
            Some(other) => Err(other),
        }
    }
}

fn is_allowed(host: &str, allowed: &[String]) -> bool {
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
        || allowed.iter().any(|allowed| {
            allowed.eq_ignore_ascii_case(name) || allowed.eq_ignore_ascii_case(authority.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(authority: Option<&str>, headers: &[&str]) -> bool {
        let uri = match authority {
            Some(authority) => format!("http://{authority}/v1/operations"),
            None => "/v1/operations".to_owned(),
        };
        let mut request = Request::builder().uri(uri);
        for header in headers {
            request = request.header(HOST, *header);
        }
        let hosts = Hosts::Loopback(vec!["ops.local".into(), "dev.local:8443".into()]);
        hosts.check(&request.body(()).unwrap()).is_ok()
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
