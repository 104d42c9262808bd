//! Addresses of servers.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use http::Uri;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

const ADVICE: &str = "write http://host:port, https://host:port, host:port or unix:/path";

impl Target {
    /// Reads an address. Without a scheme it is https, unless the host is this machine.
    ///
    /// # Errors
    ///
    /// The advice to the user.
    pub(crate) fn parse(address: &str) -> Result<Self, String> {
        let address = address.trim();
        if let Some(path) = address.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err("a unix socket has a path: write unix:/run/server.sock".to_owned());
            }
            return Ok(Self::Unix(path.into()));
        }
        let with_scheme = match address.split_once("://") {
            Some(_) => address.to_owned(),
            None => format!("lro://{address}"),
        };
        let uri: Uri = with_scheme.parse().map_err(|_| ADVICE.to_owned())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(ADVICE.to_owned());
        };
        if authority.as_str().contains('@') {
            return Err("an address has no user or password: give a token".to_owned());
        }
        if uri.path().len() > 1 || uri.query().is_some() {
            return Err("a gRPC server has no path: leave out what follows the port".to_owned());
        }
        let host = authority.host();
        let tls = match scheme {
            "http" => false,
            "https" => true,
            "lro" => !is_this_machine(host),
            _ => return Err(ADVICE.to_owned()),
        };
        let port = authority.port_u16();
        if host.is_empty() || (port.is_none() && authority.as_str() != host) {
            return Err(ADVICE.to_owned());
        }
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
            tls,
        })
    }

    /// The address that tonic is given. It never makes TLS itself.
    pub(crate) fn endpoint(&self) -> String {
        match self {
            Self::Tcp { host, port, .. } => format!("http://{host}:{port}"),
            Self::Unix(_) => "http://localhost".to_owned(),
        }
    }

    /// The scheme and authority that the server sees.
    pub(crate) fn origin(&self) -> Uri {
        let text = match self {
            Self::Tcp {
                host,
                port: 443,
                tls: true,
            } => format!("https://{host}"),
            Self::Tcp {
                host,
                port,
                tls: true,
            } => format!("https://{host}:{port}"),
            Self::Tcp { .. } | Self::Unix(_) => self.endpoint(),
        };
        // It was read from a URI.
        text.parse().unwrap_or_default()
    }

    /// Whether others than this machine see what is sent in plaintext: then it is not private.
    pub(crate) fn is_private(&self) -> bool {
        match self {
            Self::Tcp { host, tls, .. } => *tls || is_this_machine(host),
            Self::Unix(_) => true,
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { tls: true, .. })
    }

    /// The host without the brackets of IPv6.
    pub(crate) fn bare_host(&self) -> &str {
        match self {
            Self::Tcp { host, .. } => host.trim_start_matches('[').trim_end_matches(']'),
            Self::Unix(_) => "localhost",
        }
    }
}

pub(crate) fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, tls } => {
                let scheme = if *tls { "https" } else { "http" };
                write!(f, "{scheme}://{host}:{port}")
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (address, shown) in [
            ("http://127.0.0.1:50051", "http://127.0.0.1:50051"),
            ("https://ops.example.com", "https://ops.example.com:443"),
            ("https://ops.example.com/", "https://ops.example.com:443"),
            ("ops.example.com:443", "https://ops.example.com:443"),
            ("localhost:50051", "http://localhost:50051"),
            ("[::1]:50051", "http://[::1]:50051"),
            ("127.1.2.3:1", "http://127.1.2.3:1"),
            ("10.0.0.1:1", "https://10.0.0.1:1"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock"),
        ] {
            assert_eq!(
                Target::parse(address).unwrap().to_string(),
                shown,
                "{address}"
            );
        }
    }

    #[test]
    fn what_is_no_address_says_what_to_write() {
        for address in [
            "",
            "http://",
            "ftp://x",
            "http://a/b",
            "http://a?b=c",
            "https://user:pass@host",
            "unix:",
            "host:port",
            "http://a b",
            "http://host:99999",
        ] {
            assert!(Target::parse(address).is_err(), "{address}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error(text in any::<String>()) {
            if let Ok(target) = Target::parse(&text) {
                prop_assert_eq!(Target::parse(&target.to_string()), Ok(target));
            }
        }
    }
}
