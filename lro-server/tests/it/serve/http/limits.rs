//! Slow and large requests, and clients that go away.

use std::time::Duration;

use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::serve::ServeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::server;
use crate::serve::raw::closed;
use crate::serve::served::{Plain, Served};

async fn serve(limits: ServeLimits) -> Served {
    let operations = Operations::new(MemoryStore::new());
    Served::start(server(&operations, Plain::default()).limits(limits)).await
}

async fn answer_to(served: &Served, request: &[u8]) -> String {
    let mut tcp = served.tcp().await;
    tcp.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end, too.
    while let Ok(1..) = tcp.read_buf(&mut answer).await {}
    String::from_utf8_lossy(&answer).into_owned()
}

/// gateway:146
#[tokio::test]
async fn slow_heads_and_bodies_time_out() {
    let served = serve(
        ServeLimits::default()
            .request_head_timeout(Duration::from_millis(50))
            .request_body_timeout(Duration::from_millis(50)),
    )
    .await;
    let answer = answer_to(&served, b"GET /tables/a HTTP/1.1\r\nhost: loc").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
    let begun = b"POST /length HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nabc";
    let answer = answer_to(&served, begun).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // Between two requests, too.
    let mut idle = served.tcp().await;
    idle.write_all(b"GET /tables/a HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(closed(&mut idle).await > 0);
    served.stop().await;
}

/// gateway:146
#[tokio::test]
async fn a_head_beyond_the_limit_is_refused() {
    let served = serve(ServeLimits::default()).await;
    let head = format!(
        "GET /tables/a HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "y".repeat(20_000)
    );
    let answer = answer_to(&served, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    served.stop().await;
}

/// gateway:124
#[tokio::test]
async fn a_client_that_disconnects_ends_its_call() {
    let operations = Operations::new(MemoryStore::new());
    let plain = Plain::default();
    let served = Served::start(server(&operations, plain.clone())).await;
    let mut tcp = served.tcp().await;
    let request = b"GET /tables/hang HTTP/1.1\r\nhost: localhost\r\n\r\n";
    tcp.write_all(request).await.unwrap();
    plain.hanging.notified().await;
    drop(tcp);
    plain.dropped.notified().await;
    served.stop().await;
}
