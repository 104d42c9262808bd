use lro_core::store::{StoreError, StoreErrorKind};
use lro_postgres::{PostgresStore, PostgresStoreBuilder};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use test_programs::postgres::Cluster;

use crate::fixture::*;
use crate::support::Schema;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client configuration that trusts only that authority.
fn trusting(authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.as_ref().der().clone()).unwrap();
    ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A server with a certificate of that authority for that name.
fn serve(cluster: &Cluster, authority: &Authority, name: &str) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    // By the server itself: they have to be its own.
    for (file, text) in [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        let lines = text.trim_end().lines().collect::<Vec<_>>().join("|");
        let program = format!("umask 077; rm -f {file}; cat > {file}");
        cluster
            .sql(&format!(
                "COPY (SELECT unnest(string_to_array('{lines}', '|'))) TO PROGRAM '{program}'"
            ))
            .unwrap();
    }
    cluster.sql("ALTER SYSTEM SET ssl = on").unwrap();
    cluster.restart().unwrap();
}

#[track_caller]
fn check(opened: Result<PostgresStore, StoreError>, words: &str) {
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    let text = error.to_string();
    assert!(text.contains("TLS") && text.contains(words), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_verified_by_its_certificate() {
    if test_programs::postgres::shared_or_skip().is_none() {
        return;
    }
    let (ours, others) = (authority("ours"), authority("others"));
    let cluster = tokio::task::spawn_blocking(move || {
        let cluster = Cluster::start().unwrap();
        serve(&cluster, &ours, "localhost");
        (cluster, ours)
    });
    let (cluster, ours) = cluster.await.unwrap();
    let url = cluster.url().replace("sslmode=disable", "sslmode=require");
    let open = |host: &str, trusted: &Authority| -> PostgresStoreBuilder {
        let url = url.replace("@127.0.0.1", &format!("@{host}"));
        PostgresStore::builder(url).tls(trusting(trusted))
    };
    let store = open("localhost", &ours).open().await.unwrap();
    start(&store, "operations/1").await;
    // The connection that listens is another one.
    while !store.is_listening() {
        tokio::task::yield_now().await;
    }
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE application_name = 'lro' AND NOT ssl";
    assert_eq!(cluster.sql(plain).unwrap(), "0");
    let encrypted = plain.replace("NOT ssl", "ssl");
    assert_ne!(cluster.sql(&encrypted).unwrap(), "0");
    check(open("localhost", &others).open().await, "UnknownIssuer");
    check(open("127.0.0.1", &ours).open().await, "not valid for name");
    // Without a configuration, the roots are the system's.
    let foreign = url.replace("@127.0.0.1", "@localhost");
    let error = PostgresStore::connect(foreign).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("UnknownIssuer") || text.contains("no root certificates"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let Some(schema) = Schema::new() else { return };
    let url = schema.url().replace("sslmode=disable", "sslmode=require");
    let store = PostgresStore::builder(&url).tls(trusting(&authority("ours")));
    check(store.open().await, "server does not support TLS");
    // A connection for which TLS is optional uses it if the URL says how to verify the server.
    let url = schema.url().replace("sslmode=disable", "sslmode=prefer");
    let store = PostgresStore::builder(&url).schema(schema.name());
    let store = store
        .tls(trusting(&authority("ours")))
        .open()
        .await
        .unwrap();
    start(&store, "operations/1").await;
}
