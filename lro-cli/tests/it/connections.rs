//! Ways to a server: unix sockets and proxies.

use std::sync::{Arc, Mutex};

use lro_cli::exit::Exit;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::Lro;
use crate::support::fake::{Fake, Script};
use crate::support::types::running;

/// A proxy that leads every CONNECT to one server. It keeps the heads of the requests.
async fn proxy(to: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = heads.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (to, kept) = (to.clone(), kept.clone());
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if client.read_line(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                kept.lock().unwrap().push(head);
                let mut server = TcpStream::connect(to).await.unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address.to_string(), heads)
}

#[tokio::test]
async fn a_proxy_leads_to_other_machines_only() {
    let server = Fake::start(Script::new().operation(running("operations/1", "{}"))).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let (proxy, heads) = proxy(address).await;
    let secret = format!("http://user:s3cret@{proxy}");
    let lro = Lro::to("http://ops.invalid:50051").variable("HTTP_PROXY", &secret);
    let ran = lro.run("list -o name -v").await;
    assert_eq!(
        (ran.exit, &*ran.stdout),
        (Exit::Done, "operations/1\n"),
        "{ran:?}"
    );
    assert!(!format!("{ran:?}").contains("s3cret"), "{ran:?}");
    let head = heads.lock().unwrap()[0].clone();
    assert!(
        head.starts_with("CONNECT ops.invalid:50051 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.to_lowercase().contains("proxy-authorization: basic"),
        "{head}"
    );
    // Excepted, there is no such host.
    let ran = lro.variable("NO_PROXY", "ops.invalid").run("list").await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    // This machine needs no proxy.
    let ran = Lro::to(&server.url)
        .variable("HTTP_PROXY", "http://192.0.2.1:1")
        .run("list")
        .await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert_eq!(heads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client
                .write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>")
                .await;
        }
    });
    let lro = Lro::to("http://ops.invalid:1").variable("ALL_PROXY", &format!("http://{address}"));
    let ran = lro.run("list").await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    assert!(
        ran.stderr
            .contains("the proxy 127.0.0.1 does not lead to ops.invalid:1"),
        "{ran:?}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_an_address() {
    use tokio::net::UnixListener;

    let server = Fake::start(Script::new().operation(running("operations/1", "{}"))).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&address).await.unwrap();
            tokio::spawn(async move {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    let ran = Lro::to(&format!("unix:{}", path.display()))
        .run("list -o name")
        .await;
    assert_eq!(
        (ran.exit, &*ran.stdout),
        (Exit::Done, "operations/1\n"),
        "{ran:?}"
    );
    let ran = Lro::to("unix:/nonexistent.sock").run("list").await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    assert!(
        ran.stderr
            .contains("cannot connect to unix:/nonexistent.sock"),
        "{ran:?}"
    );
}
