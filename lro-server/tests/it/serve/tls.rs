//! TLS and mutual TLS.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::exporter_server::ExporterServer;
use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::serve::{ServeLimits, Server, Tls};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::serve::http::Http1;
use crate::serve::raw::closed;
use crate::serve::served::{Direct, Plain, Served, table};

pub(super) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(super) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(super) struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

pub(super) fn identity(authority: &Authority, name: &str) -> Identity {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    Identity { certificate, key }
}

pub(super) fn tls(server: &Identity) -> Tls {
    Tls::from_pem(server.certificate.pem(), server.key.serialize_pem())
}

async fn serve(tls: Tls, limits: ServeLimits) -> Served {
    let operations = Operations::new(MemoryStore::new());
    let server = Server::builder(&operations)
        .add_service(ExporterServer::new(Plain::default()))
        .tls(tls)
        .limits(limits);
    Served::start(server).await
}

pub(super) async fn handshake(
    served: &Served,
    trusted: &Authority,
    client: Option<&Identity>,
) -> std::io::Result<TlsStream<TcpStream>> {
    handshake_for(b"h2", served, trusted, client).await
}

async fn handshake_for(
    protocol: &[u8],
    served: &Served,
    trusted: &Authority,
    client: Option<&Identity>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let key = PrivateKeyDer::from_pem_slice(client.key.serialize_pem().as_bytes());
            let chain = vec![client.certificate.der().clone()];
            builder.with_client_auth_cert(chain, key.unwrap()).unwrap()
        }
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, served.tcp().await)
        .await
}

/// The name and the length of the certificate that a handler sees.
async fn certificate_seen(
    served: &Served,
    trusted: &Authority,
    client: Option<&Identity>,
) -> Result<(String, u64), String> {
    let stream = handshake(served, trusted, client).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let direct = Direct::over(stream)
        .await
        .map_err(|error| error.to_string())?;
    let answer = direct.exporter().get_table(table("certificate")).await;
    let seen = answer.map_err(|status| status.to_string())?.into_inner();
    Ok((seen.name, seen.rows))
}

#[tokio::test]
async fn calls_come_in_over_tls_and_not_without_it() {
    let authority = authority();
    let served = serve(tls(&identity(&authority, "server")), ServeLimits::default()).await;
    let seen = certificate_seen(&served, &authority, None).await.unwrap();
    assert_eq!(seen.1, 0);
    let stream = handshake(&served, &authority, None).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let expected = stream.get_ref().0.local_addr().unwrap().to_string();
    let mut client = Direct::over(stream).await.unwrap().exporter();
    let peer = client.get_table(table("peer")).await.unwrap().into_inner();
    assert_eq!(peer.name, expected);
    let plain = Direct::over(served.tcp().await).await;
    let refused = match plain {
        Ok(plain) => plain.exporter().get_table(table("a")).await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
    drop(client);
    served.stop().await;
}

#[tokio::test]
async fn mutual_tls_lets_those_in_that_the_authority_knows_and_handlers_see_who() {
    let (ours, strangers) = (authority(), authority());
    let tls = tls(&identity(&ours, "server")).client_ca(ours.pem());
    let served = serve(tls, ServeLimits::default()).await;
    let alice = identity(&ours, "alice");
    let (name, len) = certificate_seen(&served, &ours, Some(&alice))
        .await
        .unwrap();
    assert!(name.contains("alice"), "{name}");
    assert_eq!(len, alice.certificate.der().len() as u64);
    let stranger = identity(&strangers, "stranger");
    for client in [None, Some(&stranger)] {
        let refused = certificate_seen(&served, &ours, client).await;
        refused.unwrap_err();
    }
    served.stop().await;
}

/// gateway:125 gateway:144
#[tokio::test]
async fn http_comes_in_over_the_same_tls() {
    let ours = authority();
    let tls = tls(&identity(&ours, "server")).client_ca(ours.pem());
    let operations = Operations::new(MemoryStore::new());
    let server = crate::serve::http::server(&operations, Plain::default()).tls(tls);
    let served = Served::start(server).await;
    let alice = identity(&ours, "alice");
    let (seen, _) = certificate_seen(&served, &ours, Some(&alice))
        .await
        .unwrap();
    let stream = handshake_for(b"http/1.1", &served, &ours, Some(&alice)).await;
    let stream = stream.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut http = Http1::over(stream).await;
    assert_eq!(http.get("/tables/certificate").await, (200, seen));
    drop(http);
    served.stop().await;
}

#[tokio::test]
async fn certificates_may_be_optional() {
    let ours = authority();
    let tls = tls(&identity(&ours, "server")).optional_client_ca(ours.pem());
    let served = serve(tls, ServeLimits::default()).await;
    let bob = identity(&ours, "bob");
    let with = certificate_seen(&served, &ours, Some(&bob)).await.unwrap();
    assert!(with.0.contains("bob"), "{with:?}");
    let without = certificate_seen(&served, &ours, None).await.unwrap();
    assert_eq!(without.1, 0);
    served.stop().await;
}

/// guarantee:R15
#[tokio::test]
async fn connections_without_a_handshake_are_closed() {
    let authority = authority();
    let limits = ServeLimits::default()
        .tls_handshake_timeout(Duration::from_millis(200))
        .first_bytes_timeout(Duration::from_millis(200));
    let served = serve(tls(&identity(&authority, "server")), limits).await;
    for _ in 0..20 {
        assert_eq!(closed(&mut served.tcp().await).await, 0);
    }
    // Nor may one be silent after it.
    let mut stream = handshake(&served, &authority, None).await.unwrap();
    assert_eq!(closed(&mut stream).await, 0);
    served.stop().await;
}

#[tokio::test]
async fn unusable_certificates_are_reported_before_serving() {
    let authority = authority();
    let server = identity(&authority, "server");
    let other = identity(&authority, "other");
    let (certificate, key) = (server.certificate.pem(), server.key.serialize_pem());
    for (tls, expected) in [
        (
            Tls::from_pem("", &*key),
            "cannot read the server's certificates",
        ),
        (
            Tls::from_pem(&*certificate, "none"),
            "cannot read the server's private key",
        ),
        (
            Tls::from_pem(&*certificate, other.key.serialize_pem()),
            "the server's certificate and its key do not go together",
        ),
        (
            Tls::from_pem(&*certificate, &*key).client_ca("none"),
            "cannot read the certificates of the clients' authorities",
        ),
    ] {
        assert_eq!(format!("{tls:?}"), "Tls { .. }");
        let operations = Operations::new(MemoryStore::new());
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::builder(&operations).tls(tls);
        let error = server.serve(address, std::future::pending()).await;
        let error = error.unwrap_err().to_string();
        let cause = error.strip_prefix(expected).expect(expected);
        assert!(cause.starts_with(": ") && cause.len() > 2, "{error}");
    }
}
