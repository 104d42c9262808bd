//! The connection: one channel for all calls, with the same headers and token on each.

pub(crate) mod dial;
mod fault;
mod proxy;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod token;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use crate::config::Settings;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::terminal::Terminal;
use dial::Dialer;
pub(crate) use fault::ConnectFault;
pub(crate) use target::Target;
use token::Tokens;

/// The transport of all calls. Its error is a status already.
pub(crate) type Service = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// A connection to a server, which opens at the first call.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) service: Service,
    pub(crate) target: Target,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) tokens: Arc<Tokens>,
}

impl Connection {
    /// Prepares the connection that the settings describe.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, a certificate cannot be read, or a token would be sent in plaintext.
    pub(crate) fn new(
        settings: &Settings,
        environment: &Environment,
        plaintext_token: bool,
        terminal: &Arc<Terminal>,
    ) -> Result<Self, Failure> {
        let address = settings.text("server").unwrap_or_default();
        let target =
            Target::parse(address).map_err(|advice| settings.wrong("server", address, &advice))?;
        let timeout = settings.duration("rpc_timeout")?;
        let dialer = Arc::new(Dialer::new(&target, settings, environment, timeout)?);
        let tokens = Arc::new(Tokens::new(settings, environment)?);
        if tokens.is_some() && !target.is_private() && !plaintext_token {
            return Err(Failure::usage(format!(
                "refusing to send a token without TLS to {target}"
            ))
            .advise("write https://, or give --plaintext-token on a network that you trust"));
        }
        for name in ["tls.key", "token_file"] {
            if let Some(path) = settings.text(name).filter(|path| is_open_to_all(path)) {
                terminal.note(&format!(
                    "warning: every user of this machine can read {path}"
                ));
            }
        }
        let headers = headers(settings)?;
        let endpoint = Endpoint::from_shared(target.endpoint())
            .and_then(|it| it.user_agent(concat!("lro/", env!("CARGO_PKG_VERSION"))))
            .map_err(|error| settings.wrong("server", address, &error.to_string()))?
            .origin(target.origin())
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        let connector = {
            let dialer = dialer.clone();
            tower::service_fn(move |_| {
                let dialer = dialer.clone();
                async move { dialer.connect().await }
            })
        };
        let channel = endpoint.connect_with_connector_lazy(connector);
        let service = {
            let (tokens, terminal) = (tokens.clone(), terminal.clone());
            let dialer = dialer.clone();
            tower::service_fn(move |mut request: http::Request<Body>| {
                let (channel, tokens) = (channel.clone(), tokens.clone());
                let (headers, terminal) = (headers.clone(), terminal.clone());
                let dialer = dialer.clone();
                async move {
                    let path = request.uri().path().to_owned();
                    for (name, value) in &headers {
                        request.headers_mut().append(name.clone(), value.clone());
                    }
                    if let Some(token) = tokens.header().await? {
                        request
                            .headers_mut()
                            .insert(http::header::AUTHORIZATION, token);
                    }
                    let answer = channel.oneshot(request).await;
                    match &answer {
                        Ok(response) => trace(&terminal, &path, response.headers()),
                        Err(error) => terminal.trace(&format!("{path}: {error}")),
                    }
                    match answer {
                        Ok(response) => Ok(response),
                        Err(error) => Err(match dialer.explain(&error).await {
                            Some(fault) => fault.into_status(),
                            None => fault::unsent(error),
                        }),
                    }
                }
            })
        };
        Ok(Self {
            service: BoxCloneSyncService::new(service),
            target,
            dialer,
            tokens,
        })
    }
}

/// Whether a file that holds a secret can be read by every user.
#[cfg(unix)]
fn is_open_to_all(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_open_to_all(_: &str) -> bool {
    false
}

fn trace(terminal: &Terminal, path: &str, headers: &HeaderMap) {
    let status = headers.get("grpc-status").and_then(|it| it.to_str().ok());
    let code = status.and_then(|it| it.parse().ok());
    let said = code.map_or_else(|| "answered".to_owned(), crate::exit::code_name);
    terminal.trace(&format!("{path}: {said}"));
}

/// The headers of all calls. Their values may be secrets: no error shows them.
fn headers(settings: &Settings) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        let name = HeaderName::try_from(name).map_err(|_| {
            Failure::usage(format!("`{name}` is no name of a header"))
                .advise("write `-H 'name: value'`")
        })?;
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            Failure::usage(format!(
                "the header `{name}` has a value that no header can have"
            ))
            .advise("use visible ASCII characters")
        })?;
        value.set_sensitive(true);
        headers.append(name, value);
        Ok::<_, Failure>(())
    };
    for header in settings.list("headers") {
        let Some((name, value)) = header.split_once(':') else {
            return Err(Failure::usage("a header has no colon").advise("write `-H 'name: value'`"));
        };
        add(name.trim(), value.trim())?;
    }
    if let Some(project) = settings.text("quota_project") {
        add("x-goog-user-project", project)?;
    }
    Ok(headers)
}
