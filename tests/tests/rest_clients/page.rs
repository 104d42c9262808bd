//! A page of another site.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// Serves it for as long as the test runs, at every path.
pub(crate) async fn serve() -> SocketAddr {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n\
        <title>another site</title>";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = BufReader::new(socket);
                let mut line = String::new();
                // The head ends with an empty line. A browser may connect and say nothing.
                while socket.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                    line.clear();
                }
                socket.write_all(ANSWER).await.ok();
            });
        }
    });
    address
}
