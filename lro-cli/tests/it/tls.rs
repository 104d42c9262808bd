//! TLS and mutual TLS, and what is said when they fail.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::expect;
use lro_cli::exit::Exit;
use lro_server::serve::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::live::Live;
use crate::support::{Hands, Lro, time};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, in PEM.
fn identity(authority: &Authority) -> (String, String) {
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    (
        params.signed_by(&key, authority).unwrap().pem(),
        key.serialize_pem(),
    )
}

struct Files(tempfile::TempDir);

impl Files {
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn https_needs_a_trusted_authority_and_the_right_name() {
    let authority = authority();
    let (certificate, key) = identity(&authority);
    let live = Live::start(Some(Tls::from_pem(certificate, key))).await;
    let files = Files(tempfile::tempdir().unwrap());
    let ca = files.write("ca.pem", &authority.pem());
    let other = files.write("other.pem", &self::authority().pem());
    let url = format!("https://localhost:{}", live.port);
    let lro = Lro::to(&url);
    let ran = lro.run(&format!("list --ca {ca}")).await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let ran = lro.run(&format!("doctor --ca {ca}")).await;
    // rcgen's certificates last long.
    let tls = ran.stdout.lines().next().unwrap();
    assert!(
        tls.starts_with("tls         ok   TLS 1.3, localhost, "),
        "{ran:?}"
    );
    assert!(tls.ends_with(" days left"), "{ran:?}");
    let clock = Hands::at("4095-12-30T12:00:00Z");
    let ran = lro
        .clone()
        .clock(&clock)
        .run(&format!("doctor --ca {ca}"))
        .await;
    assert!(
        ran.stdout.contains("left: renew the certificate"),
        "{ran:?}"
    );
    // The same by a variable that holds the certificate itself.
    let ran = lro
        .clone()
        .variable("LRO_CA_DATA", &authority.pem())
        .run("list")
        .await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    // Permanent faults are not retried.
    let lro = lro.variable("LRO_RETRY_ERRORS", "5");
    let ran = lro.run(&format!("list --ca {other}")).await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    assert!(
        ran.stderr
            .contains("give the authority's certificate with --ca"),
        "{ran:?}"
    );
    let ran = lro
        .run(&format!("list --ca {ca} --server-name example.com"))
        .await;
    assert!(ran.stderr.contains("is not for `example.com`"), "{ran:?}");
    assert!(ran.stderr.contains("--server-name"), "{ran:?}");
    // Plaintext to a port with TLS, and the reverse.
    let plain = Lro::to(&live.url()).run("list").await;
    assert_eq!(plain.exit, Exit::Unknown, "{plain:?}");
    assert!(plain.stderr.contains("https://"), "{plain:?}");
    let server = Live::start(None).await;
    let reverse = Lro::to(&format!("https://localhost:{}", server.port));
    let ran = reverse.run(&format!("list --ca {ca}")).await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    assert!(ran.stderr.contains("write http://"), "{ran:?}");
}

#[tokio::test]
async fn the_doctor_reports_on_a_connection_with_a_token() {
    let authority = authority();
    let (certificate, key) = identity(&authority);
    let live = Live::start(Some(Tls::from_pem(certificate, key))).await;
    let files = Files(tempfile::tempdir().unwrap());
    let ca = files.write("ca.pem", &authority.pem());
    // Certificates of rcgen last until the first day of 4096.
    let clock = Hands::at("4095-11-01T00:00:00Z");
    let expiry = time("4095-11-01T00:52:00Z").as_micros() / 1_000_000;
    let claims = URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{expiry}}}"));
    let token = files.write("token", &format!("e30.{claims}.e30"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&token, private).unwrap();
    }
    let lro = Lro::to(&format!("https://localhost:{}", live.port)).clock(&clock);
    let session = lro
        .session(&format!("doctor --ca {ca} --token-file {token}"))
        .await;
    let session = session.replace(&ca, "ca.pem").replace(&token, "token");
    let (before, rest) = session.split_once("Get         ok   ").unwrap();
    let (_, after) = rest.split_once(" ms").unwrap();
    expect![[r#"
        $ lro doctor --ca ca.pem --token-file token
        tls         ok   TLS 1.3, localhost, 61 days left
        auth        ok   bearer token from the file token, expires in 52m
        reflection  ok   v1, 5 services
        Get         ok   N ms
        List        ok   no operations
        Wait        ok
        Cancel      ?    not tried: it changes something
        Delete      ?    not tried: it changes something
        filter      ?    taken, but there is nothing to filter
        inspection  no   methods, callers, attempts and workers are not told
        clock       ?    no operation tells the server's time
    "#]]
    .assert_eq(&format!("{before}Get         ok   N ms{after}"));
}

#[tokio::test]
async fn a_server_may_ask_for_the_clients_certificate() {
    let authority = authority();
    let (certificate, key) = identity(&authority);
    let tls = Tls::from_pem(certificate, key).client_ca(authority.pem());
    let live = Live::start(Some(tls)).await;
    let files = Files(tempfile::tempdir().unwrap());
    let ca = files.write("ca.pem", &authority.pem());
    let (cert, key) = identity(&authority);
    let (cert, key) = (files.write("cert.pem", &cert), files.write("key.pem", &key));
    let lro = Lro::to(&format!("https://localhost:{}", live.port));
    let ran = lro
        .run(&format!("list --ca {ca} --cert {cert} --key {key}"))
        .await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    let ran = lro.run(&format!("list --ca {ca}")).await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    assert!(ran.stderr.contains("--cert and --key"), "{ran:?}");
    let stranger = identity(&self::authority());
    let (cert, key) = (
        files.write("c.pem", &stranger.0),
        files.write("k.pem", &stranger.1),
    );
    let ran = lro
        .run(&format!("list --ca {ca} --cert {cert} --key {key}"))
        .await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    let ran = lro.run(&format!("list --ca {ca} --cert {cert}")).await;
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
}
