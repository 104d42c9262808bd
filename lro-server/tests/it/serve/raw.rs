//! HTTP/2 by hand: for what a well-behaved client does not do.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![len[1], len[2], len[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The preface, and settings that say nothing.
pub(crate) fn opening() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// The next frame; settings and pings are answered, if the other side still listens. `None` at the
/// end.
pub(crate) async fn next<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut IO) -> Option<Frame> {
    let mut head = [0; 9];
    io.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    io.read_exact(&mut payload).await.ok()?;
    if matches!(kind, SETTINGS | PING) && flags & 1 == 0 {
        let answer: &[u8] = if kind == PING { &payload } else { &[] };
        io.write_all(&frame(kind, 1, 0, answer)).await.ok();
    }
    Some(Frame {
        kind,
        flags,
        payload,
    })
}

/// Reads until the other side has closed the connection; how many bytes there were.
pub(crate) async fn closed<IO: AsyncRead + Unpin>(io: &mut IO) -> usize {
    let mut seen = 0;
    let mut buffer = [0; 1024];
    // A reset also ends the connection.
    while let Ok(read @ 1..) = io.read(&mut buffer).await {
        seen += read;
    }
    seen
}
