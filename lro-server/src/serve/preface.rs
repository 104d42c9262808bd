//! The first words of a connection.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// The first bytes of every HTTP/2 connection.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose first words have been read, and are read again.
#[derive(Debug)]
pub(super) struct Prefaced<IO> {
    io: IO,
    seen: [u8; PREFACE.len()],
    /// The part of it that is still to be read again.
    again: Range<usize>,
}

/// The protocol that the first words are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

impl<IO: AsyncRead + Unpin> Prefaced<IO> {
    /// Reads the first words. Where HTTP/1.1 is not spoken, others than those of HTTP/2 are
    /// `InvalidData`.
    pub(super) async fn read(mut io: IO, with_http1: bool) -> io::Result<(Self, Protocol)> {
        let mut seen = [0; PREFACE.len()];
        let mut filled = 0;
        let mut protocol = Protocol::Http2;
        while filled < seen.len() && protocol == Protocol::Http2 {
            let read = io.read(&mut seen[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if seen[..filled] != PREFACE[..filled] {
                if !with_http1 {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
                }
                protocol = Protocol::Http1;
            }
        }
        let again = 0..filled;
        Ok((Self { io, seen, again }, protocol))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Prefaced<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.again.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let again = &this.seen[this.again.clone()];
        let again = &again[..again.len().min(buf.remaining())];
        buf.put_slice(again);
        this.again.start += again.len();
        // The bytes behind them, too: hyper takes a larger buffer after a short read. An error or an
        // end is read again by the next call.
        if this.again.is_empty() && buf.remaining() > 0 {
            let _ = Pin::new(&mut this.io).poll_read(cx, buf);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Prefaced<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_words_are_read_again() {
        for (wire, expected) in [
            ([&PREFACE[..], b"more"].concat(), Protocol::Http2),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Protocol::Http1),
            (b"PRI / HTTP/1.1\r\n\r\n".to_vec(), Protocol::Http1),
            (b"P!".to_vec(), Protocol::Http1),
        ] {
            let (mut io, protocol) = Prefaced::read(&*wire, true).await.unwrap();
            assert_eq!(protocol, expected);
            let mut seen = vec![0; 2];
            io.read_exact(&mut seen).await.unwrap();
            io.read_to_end(&mut seen).await.unwrap();
            assert_eq!(seen, wire);
        }
    }

    #[tokio::test]
    async fn other_words_end_the_connection_at_the_first_byte() {
        let error = Prefaced::read(&b"G"[..], false).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        for with_http1 in [false, true] {
            let cut = Prefaced::read(&PREFACE[..23], with_http1).await;
            assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
