//! The program with TLS and mutual TLS.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use support::Folders;
use support::process::{ServerProcess, archiver};

/// An authority, and what it has signed, in files.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(params, key).unwrap();
        let write = |name: &str, pem: String| std::fs::write(folder.path().join(name), pem);
        write("ca.pem", authority.pem()).unwrap();
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            write(&format!("{name}.pem"), certificate.pem()).unwrap();
            write(&format!("{name}.key"), key.serialize_pem()).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.into_os_string().into_string().unwrap()
    }
}

#[test]
fn a_server_with_mutual_tls_is_called_with_a_certificate_only() {
    let (folders, files) = (Folders::new(), Certificates::new());
    let source = folders.small("a");
    let path = |name| files.path(name);
    let (certificate, key, ca) = (path("server.pem"), path("server.key"), path("ca.pem"));
    let args = [
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--client-ca",
        &ca,
    ];
    let server = ServerProcess::start(&folders.data(), &args);
    let create = ["create", source.to_str().unwrap(), "--server", &server.url];
    let (client, client_key) = (path("client.pem"), path("client.key"));
    let known = [
        "--server-ca",
        &ca,
        "--client-cert",
        &client,
        "--client-key",
        &client_key,
    ];
    let created = archiver(&[&create[..], &known].concat());
    assert!(created.status.success(), "{created:?}");
    let archived = folders.archived();
    assert_ne!(archived, [""; 0]);

    for stranger in [&known[..2], &[]] {
        let refused = archiver(&[&create[..], stranger].concat());
        assert!(!refused.status.success(), "{refused:?}");
    }
    let plain = server.url.replace("https", "http");
    let plain = archiver(&["create", source.to_str().unwrap(), "--server", &plain]);
    assert!(!plain.status.success(), "{plain:?}");
    assert_eq!(folders.archived(), archived);
    let (status, _) = server.terminate();
    assert!(status.success(), "{status}");
}

#[test]
fn certificates_that_cannot_be_read_are_said() {
    let (folders, files) = (Folders::new(), Certificates::new());
    let (data, missing) = (folders.data(), files.path("missing.pem"));
    let key = files.path("server.key");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data"];
    let args = ["--tls-cert", &missing, "--tls-key", &key];
    let failed = archiver(&[&serve[..], &[data.to_str().unwrap()], &args].concat());
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let stderr = String::from_utf8(failed.stderr).unwrap();
    assert!(stderr.contains("missing.pem"), "{stderr}");
}
