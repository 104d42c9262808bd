//! Opens connections: TCP or a unix socket, through a proxy or not, with TLS or not.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use lro_core::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
#[cfg(feature = "tls")]
use tokio::sync::OnceCell;

use super::fault::ConnectFault;
use super::proxy::Proxies;
use super::target::Target;
use crate::config::Settings;
use crate::environment::Environment;
use crate::failure::Failure;

/// Bytes in both directions.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(super) type Opened = TokioIo<Box<dyn Io>>;

/// The outcome of a TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) version: String,
    /// The server's certificate, as far as it can be read.
    pub(crate) certificate: Option<Certificate>,
}

/// The facts about a certificate that go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The names and addresses that it is for.
    pub(crate) names: Vec<String>,
    /// When it ends.
    pub(crate) expires: Timestamp,
}

/// Opens connections to one target.
pub(crate) struct Dialer {
    target: Target,
    proxies: Proxies,
    timeout: Duration,
    #[cfg(feature = "tls")]
    tls: Option<super::tls::Tls>,
    #[cfg(feature = "tls")]
    /// The findings of `explain`; asked once.
    explanation: OnceCell<Option<ConnectFault>>,
}

impl Dialer {
    pub(super) fn new(
        target: &Target,
        settings: &Settings,
        environment: &Environment,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        #[cfg(not(feature = "tls"))]
        if target.is_tls() {
            return Err(
                Failure::usage(format!("this `lro` was built without TLS: {target}"))
                    .advise("build it with the feature `tls`, or write http://"),
            );
        }
        #[cfg(not(feature = "tls"))]
        let _ = settings;
        Ok(Self {
            target: target.clone(),
            proxies: Proxies::new(environment),
            timeout,
            #[cfg(feature = "tls")]
            tls: if target.is_tls() {
                Some(super::tls::Tls::new(target, settings, environment)?)
            } else {
                None
            },
            #[cfg(feature = "tls")]
            explanation: OnceCell::new(),
        })
    }

    /// A connection that is ready for HTTP/2.
    pub(super) async fn connect(&self) -> Result<Opened, ConnectFault> {
        Ok(self.within_limit(self.open()).await?.0)
    }

    /// Connects once, to see what comes of it.
    pub(crate) async fn probe(&self) -> Result<Option<Handshake>, ConnectFault> {
        Ok(self.within_limit(self.open()).await?.1)
    }

    /// Whether a call broke because the server speaks TLS and the address says otherwise. It is
    /// asked once.
    #[cfg(feature = "tls")]
    pub(super) async fn explain(&self, error: &tonic::transport::Error) -> Option<ConnectFault> {
        let Target::Tcp {
            host,
            port,
            tls: false,
        } = &self.target
        else {
            return None;
        };
        let is_known = {
            let first: &(dyn std::error::Error + 'static) = error;
            let mut chain = std::iter::successors(Some(first), |error| (*error).source());
            chain.any(<dyn std::error::Error>::is::<ConnectFault>)
        };
        if is_known {
            return None;
        }
        let explanation = self.explanation.get_or_init(|| async {
            let bare = self.target.bare_host();
            let asked = async { super::tls::speaks_tls(bare, tcp(bare, *port).await.ok()?).await };
            let limit = self.timeout.min(Duration::from_secs(2));
            tokio::time::timeout(limit, asked).await.ok()??.then(|| {
                ConnectFault::permanent(
                    format!("{} speaks TLS", self.target),
                    format!("write https://{host}:{port}"),
                )
            })
        });
        explanation.await.clone()
    }

    #[cfg(not(feature = "tls"))]
    pub(super) async fn explain(&self, _: &tonic::transport::Error) -> Option<ConnectFault> {
        None
    }

    async fn within_limit<T>(
        &self,
        opened: impl Future<Output = Result<T, ConnectFault>>,
    ) -> Result<T, ConnectFault> {
        match tokio::time::timeout(self.timeout, opened).await {
            Ok(opened) => opened,
            Err(_) => Err(ConnectFault::passing(format!(
                "{} did not accept a connection within {:?}",
                self.target, self.timeout
            ))),
        }
    }

    async fn open(&self) -> Result<(Opened, Option<Handshake>), ConnectFault> {
        let io: Box<dyn Io> = match &self.target {
            Target::Unix(path) => Box::new(unix(path).await?),
            Target::Tcp { host, port, tls } => match self.proxies.for_target(host, *port, *tls)? {
                Some(proxy) => proxy.open(host, *port).await?,
                None => Box::new(tcp(self.target.bare_host(), *port).await?),
            },
        };
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let (io, handshake) = tls.handshake(io).await?;
            return Ok((TokioIo::new(io), Some(handshake)));
        }
        Ok((TokioIo::new(io), None))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// Connects to the first address of the host that answers.
pub(super) async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectFault> {
    let connected = TcpStream::connect((host, port)).await;
    let stream = connected.map_err(|error| {
        let fault = ConnectFault::passing(format!("cannot connect to {host}:{port}: {error}"));
        match error.kind() {
            std::io::ErrorKind::ConnectionRefused => {
                fault.advise("no server listens there: is it the right address (--server)?")
            }
            _ => fault,
        }
    })?;
    // Small requests are not held back; without this they are only slower.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn unix(path: &Path) -> Result<UnixStream, ConnectFault> {
    UnixStream::connect(path).await.map_err(|error| {
        ConnectFault::passing(format!(
            "cannot connect to unix:{}: {error}",
            path.display()
        ))
    })
}
