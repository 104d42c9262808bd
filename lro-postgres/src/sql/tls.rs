//! Connections with and without TLS.

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, poll_fn};
use lro_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls, Socket};

/// How connections are made.
#[derive(Clone)]
pub(crate) enum Connector {
    Plain,
    #[cfg(feature = "tls")]
    Tls(tokio_postgres_rustls::MakeRustlsConnect),
}

/// The server's unsolicited messages. The store polls the stream so that the client makes progress.
pub(crate) type Messages = BoxStream<'static, Result<AsyncMessage, Error>>;

impl Connector {
    /// As the configuration says: TLS where it is required, verified always.
    #[cfg(feature = "tls")]
    pub(crate) fn new(
        config: &Config,
        tls: Option<rustls::ClientConfig>,
    ) -> Result<Self, StoreError> {
        let tls = match (tls, config.get_ssl_mode()) {
            (Some(tls), _) => tls,
            (None, SslMode::Disable | SslMode::Prefer) => return Ok(Self::Plain),
            (None, _) => default_tls()?,
        };
        Ok(Self::Tls(tokio_postgres_rustls::MakeRustlsConnect::new(
            tls,
        )))
    }

    /// As the configuration says: what requires TLS is refused.
    #[cfg(not(feature = "tls"))]
    pub(crate) fn new(config: &Config) -> Result<Self, StoreError> {
        match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => Ok(Self::Plain),
            _ => Err(StoreError::new(
                StoreErrorKind::Unusable,
                "the URL requires TLS, and this program was built without the feature `tls` of \
                 lro-postgres",
            )),
        }
    }

    pub(crate) fn manager(&self, config: Config) -> Manager {
        let fast = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        match self {
            Self::Plain => Manager::from_config(config, NoTls, fast),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Manager::from_config(config, tls.clone(), fast),
        }
    }

    /// A connection outside of the pool.
    pub(crate) async fn connect(&self, config: &Config) -> Result<(Client, Messages), Error> {
        match self {
            Self::Plain => connect(config, NoTls).await,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => connect(config, tls.clone()).await,
        }
    }
}

async fn connect<T>(config: &Config, tls: T) -> Result<(Client, Messages), Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, mut connection) = config.connect(tls).await?;
    let messages = poll_fn(move |context| connection.poll_message(context));
    Ok((client, messages.boxed()))
}

#[cfg(feature = "tls")]
fn default_tls() -> Result<rustls::ClientConfig, StoreError> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(StoreError::new(
            StoreErrorKind::Unusable,
            "the URL requires TLS, and the system has no root certificates to verify it with",
        ));
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            StoreError::new(StoreErrorKind::Unusable, "TLS cannot be set up").with_source(error)
        })?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}
