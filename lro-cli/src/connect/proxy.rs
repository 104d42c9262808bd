//! HTTP proxies, by the variables of the environment.

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tower::ServiceExt as _;

use super::dial::{Io, tcp};
use super::fault::ConnectFault;
use super::target::is_this_machine;
use crate::environment::Environment;

/// Which proxy leads to which server.
#[derive(Debug)]
pub(super) struct Proxies(Matcher);

/// A proxy that tunnels by CONNECT.
pub(super) struct Proxy {
    uri: Uri,
    authorization: Option<HeaderValue>,
}

impl Proxies {
    pub(super) fn new(environment: &Environment) -> Self {
        let value = |names: [&str; 2]| {
            let mut values = names.iter().filter_map(|name| environment.variable(name));
            values.next().unwrap_or_default().to_owned()
        };
        let matcher = Matcher::builder()
            .all(value(["ALL_PROXY", "all_proxy"]))
            .https(value(["HTTPS_PROXY", "https_proxy"]))
            .http(value(["HTTP_PROXY", "http_proxy"]))
            .no(value(["NO_PROXY", "no_proxy"]));
        Self(matcher.build())
    }

    /// The proxy to a server; none to this machine.
    pub(super) fn for_target(
        &self,
        host: &str,
        port: u16,
        tls: bool,
    ) -> Result<Option<Proxy>, ConnectFault> {
        if is_this_machine(host) {
            return Ok(None);
        }
        let scheme = if tls { "https" } else { "http" };
        let Ok(target) = format!("{scheme}://{host}:{port}").parse::<Uri>() else {
            return Ok(None);
        };
        let Some(intercept) = self.0.intercept(&target) else {
            return Ok(None);
        };
        let uri = intercept.uri().clone();
        if uri.scheme_str() != Some("http") {
            return Err(ConnectFault::permanent(
                format!(
                    "the proxy {} is not one of HTTP",
                    uri.host().unwrap_or_default()
                ),
                "write HTTPS_PROXY=http://host:port, or except the server with NO_PROXY",
            ));
        }
        let authorization = intercept.basic_auth().cloned();
        Ok(Some(Proxy { uri, authorization }))
    }
}

impl Proxy {
    pub(super) async fn open(&self, host: &str, port: u16) -> Result<Box<dyn Io>, ConnectFault> {
        let connector = tower::service_fn(async |proxy: Uri| {
            let host = proxy.host().unwrap_or_default();
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            let stream = tcp(bare, proxy.port_u16().unwrap_or(80)).await?;
            Ok::<_, ConnectFault>(TokioIo::new(stream))
        });
        let mut tunnel = Tunnel::new(self.uri.clone(), connector);
        if let Some(authorization) = &self.authorization {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let fault = |error: &dyn std::fmt::Display| {
            let proxy = self.uri.authority().map(|it| it.host().to_owned());
            ConnectFault::passing(format!(
                "the proxy {} does not lead to {host}:{port}: {error}",
                proxy.unwrap_or_default()
            ))
            .advise("the proxy comes from HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; NO_PROXY excepts servers")
        };
        let target: Uri = format!("{host}:{port}")
            .parse()
            .map_err(|error: http::uri::InvalidUri| fault(&error))?;
        let io = tunnel
            .oneshot(target)
            .await
            .map_err(|error| fault(&error))?;
        Ok(Box::new(io.into_inner()))
    }
}
