//! Bodies of requests that do not arrive.

use std::time::Duration;

use lro_server::serve::ServeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::served::{Served, gateway};

/// Sends the beginning of a request, and reads until the server closes the connection.
async fn answer_to(served: &Served, head: &str) -> (String, serde_json::Value) {
    let mut tcp = TcpStream::connect(served.address).await.unwrap();
    tcp.write_all(head.replace('\n', "\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    // A reset is an end, too.
    while let Ok(1..) = tcp.read_buf(&mut answer).await {}
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap().to_owned();
    (status, serde_json::from_str(body).unwrap())
}

/// gateway:108 gateway:146
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_comes_too_slowly_is_no_malformed_one() {
    let limits = ServeLimits::default().request_body_timeout(Duration::from_millis(50));
    let served = Served::start_with(limits, |builder| builder, gateway).await;
    for length in ["content-length: 90", "transfer-encoding: chunked"] {
        let head = format!(
            "POST /v1/exports HTTP/1.1\nhost: localhost\ncontent-type: application/json\n{length}\n\n"
        );
        let (status, body) = answer_to(&served, &head).await;
        assert!(status.starts_with("HTTP/1.1 408"), "{length}: {status}");
        assert_eq!(body["error"]["code"], 408, "{length}");
        assert_eq!(body["error"]["status"], "DEADLINE_EXCEEDED", "{length}");
    }
    let listed = served.send("GET", "/v1/operations", "").await.json();
    assert_eq!(listed, serde_json::json!({}), "nothing was started");
    served.stop().await;
}
