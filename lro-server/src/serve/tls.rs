use std::fmt;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::Error;

/// TLS for a server: who it is, and who its callers have to be.
///
/// ```no_run
/// use lro_server::serve::Tls;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = Tls::from_pem(std::fs::read("server.pem")?, std::fs::read("server.key")?)
///     .client_ca(std::fs::read("clients.pem")?); // mutual TLS
/// # Ok(()) }
/// ```
///
/// It is rustls with ring. A program that wants another provider, certificates that are replaced
/// while it runs, or the like, makes a rustls configuration of its own
/// ([`from_config`](Self::from_config)).
#[derive(Clone)]
pub struct Tls(Kind);

#[derive(Clone)]
enum Kind {
    Pem {
        certificates: Vec<u8>,
        key: Vec<u8>,
        clients: Option<Clients>,
    },
    Config(Arc<ServerConfig>),
}

#[derive(Clone)]
struct Clients {
    ca: Vec<u8>,
    optional: bool,
}

impl Tls {
    /// TLS with the server's certificate and the chain above it, and its private key, in PEM.
    pub fn from_pem(certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self(Kind::Pem {
            certificates: certificates.into(),
            key: key.into(),
            clients: None,
        })
    }

    /// TLS with a rustls configuration. The protocol h2 is added to it.
    pub fn from_config(config: Arc<ServerConfig>) -> Self {
        Self(Kind::Config(config))
    }

    /// Mutual TLS: callers need a certificate that one of these authorities has signed (PEM). A
    /// caller without one is turned away in the handshake.
    ///
    /// Handlers see it as `request.peer_certs()`. Without effect on a configuration of one's own.
    #[must_use]
    pub fn client_ca(self, ca: impl Into<Vec<u8>>) -> Self {
        self.clients(ca.into(), false)
    }

    /// Mutual TLS for those callers who have a certificate; others come in without.
    #[must_use]
    pub fn optional_client_ca(self, ca: impl Into<Vec<u8>>) -> Self {
        self.clients(ca.into(), true)
    }

    fn clients(mut self, ca: Vec<u8>, optional: bool) -> Self {
        if let Kind::Pem { clients, .. } = &mut self.0 {
            *clients = Some(Clients { ca, optional });
        }
        self
    }

    /// With HTTP/1.1 as the second choice of clients, where the server speaks it.
    pub(super) fn acceptor(self, with_http1: bool) -> Result<TlsAcceptor, Error> {
        let mut config = match self.0 {
            Kind::Config(config) => Arc::unwrap_or_clone(config),
            Kind::Pem {
                certificates,
                key,
                clients,
            } => configure(&certificates, &key, clients.as_ref())?,
        };
        let protocols: &[&[u8]] = if with_http1 {
            &[b"h2", b"http/1.1"]
        } else {
            &[b"h2"]
        };
        for protocol in protocols {
            if !config.alpn_protocols.iter().any(|it| it == protocol) {
                config.alpn_protocols.push(protocol.to_vec());
            }
        }
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn configure(
    certificates: &[u8],
    key: &[u8],
    clients: Option<&Clients>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::new("cannot set up TLS", source))?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(verifier(clients, provider)?),
    };
    let chain = read_certificates(certificates, "the server's certificates")?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|source| Error::new("cannot read the server's private key", source))?;
    builder.with_single_cert(chain, key).map_err(|source| {
        Error::new(
            "the server's certificate and its key do not go together",
            source,
        )
    })
}

fn verifier(
    clients: &Clients,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn tokio_rustls::rustls::server::danger::ClientCertVerifier>, Error> {
    let what = "the certificates of the clients' authorities";
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(&clients.ca, what)? {
        roots
            .add(certificate)
            .map_err(|source| Error::new(format!("cannot use {what}"), source))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match clients.optional {
        true => builder.allow_unauthenticated(),
        false => builder,
    };
    builder
        .build()
        .map_err(|source| Error::new(format!("cannot use {what}"), source))
}

/// At least one certificate.
fn read_certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|source| Error::new(format!("cannot read {what}"), source))?;
    match read.is_empty() {
        true => Err(Error::new(format!("cannot read {what}"), "there are none")),
        false => Ok(read),
    }
}

/// Says nothing of keys.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
