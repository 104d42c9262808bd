//! TLS and mutual TLS, by rustls.

mod certificate;

use std::error::Error;
use std::fs;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::dial::{Handshake, Io};
use super::fault::ConnectFault;
use super::target::Target;
use crate::config::Settings;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::Failure;

/// Shakes hands with one server.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    target: String,
    has_identity: bool,
}

impl Tls {
    pub(super) fn new(
        target: &Target,
        settings: &Settings,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let fault = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Fault, format!("cannot set up TLS: {error}"))
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(&error))?
            .with_root_certificates(roots(settings, environment)?);
        let cert = pem(settings, environment, "tls.cert", "LRO_CERT_DATA")?;
        let key = pem(settings, environment, "tls.key", "LRO_KEY_DATA")?;
        let has_identity = cert.is_some();
        let mut config = match (cert, key) {
            (Some(cert), Some(key)) => {
                let chain = certificates(&cert, "tls.cert")?;
                let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| {
                    Failure::new(Exit::Fault, "`tls.key` holds no private key in PEM")
                })?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| fault(&error))?
            }
            (None, None) => builder.with_no_client_auth(),
            (Some(_), None) => return Err(Failure::usage("--cert needs --key")),
            (None, Some(_)) => return Err(Failure::usage("--key needs --cert")),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = settings
            .text("tls.server_name")
            .unwrap_or(target.bare_host());
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            Failure::usage(format!("`{name}` is no name that a certificate can have"))
        })?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
            target: target.to_string(),
            has_identity,
        })
    }

    pub(super) async fn handshake(
        &self,
        io: Box<dyn Io>,
    ) -> Result<(Box<dyn Io>, Handshake), ConnectFault> {
        let connected = self.connector.connect(self.name.clone(), io).await;
        let stream = connected.map_err(|error| self.explain(&error))?;
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() != Some(b"h2") {
            return Err(ConnectFault::permanent(
                format!("{} speaks TLS, but not HTTP/2", self.target),
                "gRPC needs HTTP/2: is this the port of a web site?",
            ));
        }
        let version = match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        };
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let handshake = Handshake {
            version: version.to_owned(),
            certificate: certificate.and_then(|it| certificate::read(it)),
        };
        Ok((Box::new(stream), handshake))
    }

    fn explain(&self, error: &std::io::Error) -> ConnectFault {
        let target = &self.target;
        let Some(cause) = cause(error) else {
            return ConnectFault::passing(format!("{target} broke off the TLS handshake: {error}"))
                .advise("a server without TLS does that too: then write http://");
        };
        match cause {
            rustls::Error::InvalidMessage(_) => ConnectFault::permanent(
                format!("{target} answered without TLS"),
                "write http:// for a server without TLS",
            ),
            rustls::Error::InvalidCertificate(cause) => self.certificate(cause),
            rustls::Error::AlertReceived(alert) => self.alert(*alert),
            other => ConnectFault::permanent(
                format!("the TLS handshake with {target} failed: {other}"),
                "`lro doctor` shows what this connection needs",
            ),
        }
    }

    fn certificate(&self, error: &CertificateError) -> ConnectFault {
        let target = &self.target;
        let name = self.name.to_str();
        match error {
            CertificateError::NotValidForName => ConnectFault::permanent(
                format!("the certificate of {target} is not for `{name}`"),
                "give the name that it is for with --server-name",
            ),
            CertificateError::NotValidForNameContext { presented, .. } => ConnectFault::permanent(
                format!("the certificate of {target} is not for `{name}`"),
                format!(
                    "it is for {}: give one of these with --server-name",
                    presented.join(", ")
                ),
            ),
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                ConnectFault::permanent(
                    format!("the certificate of {target} is from an authority that is not trusted"),
                    "give the authority's certificate with --ca",
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ConnectFault::permanent(
                    format!("the certificate of {target} has expired"),
                    "renew it on the server, or correct this machine's clock",
                )
            }
            other => ConnectFault::permanent(
                format!("the certificate of {target} is not accepted: {other}"),
                "see the server's certificate, and --ca and --server-name",
            ),
        }
    }

    fn alert(&self, alert: AlertDescription) -> ConnectFault {
        let advice = if self.has_identity {
            "the server may not trust the authority of --cert"
        } else {
            "the server may ask for a client's certificate: give --cert and --key"
        };
        let what = format!("{} refused the TLS handshake: {alert:?}", self.target);
        ConnectFault::permanent(what, advice)
    }
}

/// Whether a server answers a handshake, whatever comes of it.
pub(super) async fn speaks_tls(host: &str, io: tokio::net::TcpStream) -> Option<bool> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    let config = builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).ok()?;
    match TlsConnector::from(Arc::new(config)).connect(name, io).await {
        Ok(_) => Some(true),
        Err(error) => Some(matches!(
            cause(&error),
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
        )),
    }
}

/// A server that refuses the client's certificate says so after the handshake (TLS 1.3), on whatever
/// comes next.
pub(super) fn refused_certificate(error: &(dyn Error + 'static)) -> Option<ConnectFault> {
    // HTTP/2 keeps the error's text only.
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    let last = chain.last()?.to_string();
    let (_, alert) = last.split_once("received fatal alert: ")?;
    Some(ConnectFault::permanent(
        format!("the server refused the client's certificate, or its absence: {alert}"),
        "give a certificate that it trusts with --cert and --key",
    ))
}

/// The error of rustls in one of I/O, whose `source` skips it.
fn cause(error: &std::io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn roots(settings: &Settings, environment: &Environment) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = pem(settings, environment, "tls.ca", "LRO_CA_DATA")? {
        for certificate in certificates(&pem, "tls.ca")? {
            roots.add(certificate).map_err(|error| {
                Failure::new(
                    Exit::Fault,
                    format!("`tls.ca` holds a bad certificate: {error}"),
                )
            })?;
        }
        return Ok(roots);
    }
    let loaded = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        return Err(
            Failure::new(Exit::Fault, "this system has no trusted authorities")
                .advise("install them (ca-certificates), or give a file with --ca"),
        );
    }
    Ok(roots)
}

/// The contents of a PEM file, or of the variable that holds them.
fn pem(
    settings: &Settings,
    environment: &Environment,
    name: &str,
    variable: &str,
) -> Result<Option<Vec<u8>>, Failure> {
    if let Some(path) = settings.text(name) {
        let read = fs::read(path);
        return read.map(Some).map_err(|error| {
            Failure::new(
                Exit::Fault,
                format!("cannot read `{name}`, {path}: {error}"),
            )
        });
    }
    Ok(environment
        .variable(variable)
        .map(|it| it.as_bytes().to_vec()))
}

fn certificates(pem: &[u8], name: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(Failure::new(
            Exit::Fault,
            format!("`{name}` holds no certificate in PEM"),
        )),
    }
}
