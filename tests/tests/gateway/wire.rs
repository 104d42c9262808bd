//! Requests as bytes on a socket, and responses as they come.

use std::io;
use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request that is sent as it is.
pub(crate) struct Sent {
    pub(crate) method: String,
    /// The request target.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// A response.
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) is_whole: bool,
}

/// Sends a request over HTTP/1.1.
pub(crate) async fn send(address: SocketAddr, sent: &Sent) -> io::Result<Received> {
    let mut head = format!("{} {} HTTP/1.1\r\n", sent.method, sent.path).into_bytes();
    let mut headers = sent.headers.clone();
    let has = |headers: &[(String, Vec<u8>)], name: &str| {
        headers
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    if !has(&headers, "host") {
        headers.push(("Host".into(), address.to_string().into()));
    }
    if !has(&headers, "connection") {
        headers.push(("Connection".into(), b"close".to_vec()));
    }
    if !sent.body.is_empty() || matches!(&*sent.method, "POST" | "PUT" | "PATCH") {
        headers.push(("Content-Length".into(), sent.body.len().to_string().into()));
    }
    for (name, value) in &headers {
        head.extend(name.as_bytes());
        head.extend(b": ");
        head.extend(value);
        head.extend(b"\r\n");
    }
    head.extend(b"\r\n");
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(&head).await?;
    // The server may answer before it has read all, and close then.
    let _ = socket.write_all(&sent.body).await;
    receive(&mut socket, sent.method == "HEAD").await
}

async fn receive(socket: &mut TcpStream, is_head: bool) -> io::Result<Received> {
    let mut bytes = Vec::new();
    let invalid = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Err(invalid("no response"));
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| invalid("no status"))?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| invalid("a header without a colon"))?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(name))?;
        headers.append(
            name,
            HeaderValue::from_str(value.trim()).map_err(|_| invalid(value))?,
        );
    }
    let mut rest = bytes.split_off(end + 4);
    let no_body = is_head || status == 204 || status == 304;
    let (body, is_whole) = if no_body {
        (Vec::new(), true)
    } else if headers
        .get("transfer-encoding")
        .is_some_and(|value| value == "chunked")
    {
        chunks(socket, rest).await?
    } else {
        let length = headers
            .get("content-length")
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let length = length.ok_or_else(|| invalid("neither a length nor chunks"))?;
        while rest.len() < length && socket.read_buf(&mut rest).await? > 0 {}
        let is_whole = rest.len() == length;
        (rest, is_whole)
    };
    Ok(Received {
        status,
        headers,
        body,
        is_whole,
    })
}

/// Reads chunks until the last one, or until the connection ends.
async fn chunks(socket: &mut TcpStream, mut rest: Vec<u8>) -> io::Result<(Vec<u8>, bool)> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n");
        if let Some(line) = line {
            let size = String::from_utf8_lossy(&rest[..line]).into_owned();
            let size = usize::from_str_radix(size.trim(), 16);
            let size =
                size.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a chunk"))?;
            if rest.len() >= line + 2 + size + 2 {
                body.extend(&rest[line + 2..line + 2 + size]);
                rest.drain(..line + 2 + size + 2);
                if size == 0 {
                    return Ok((body, true));
                }
                continue;
            }
        }
        match socket.read_buf(&mut rest).await {
            Ok(0) | Err(_) => return Ok((body, false)),
            Ok(_) => {}
        }
    }
}
