//! The first words of a connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// The first bytes of every HTTP/2 connection.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose first words have been read, and are read again.
#[derive(Debug)]
pub(super) struct Prefaced<IO> {
    io: IO,
    /// How much of the preface is still to be read again.
    left: usize,
}

impl<IO: AsyncRead + Unpin> Prefaced<IO> {
    /// Reads the first words; `InvalidData` when they are not those of HTTP/2.
    pub(super) async fn read(mut io: IO) -> io::Result<Self> {
        let mut seen = [0; PREFACE.len()];
        let mut filled = 0;
        while filled < seen.len() {
            let read = io.read(&mut seen[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if seen[..filled] != PREFACE[..filled] {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
            }
        }
        Ok(Self { io, left: filled })
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Prefaced<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let again = &PREFACE[PREFACE.len() - this.left..];
        let again = &again[..again.len().min(buf.remaining())];
        buf.put_slice(again);
        this.left -= again.len();
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
        let wire = [&PREFACE[..], b"more"].concat();
        let mut io = Prefaced::read(&*wire).await.unwrap();
        let mut seen = vec![0; 5];
        io.read_exact(&mut seen).await.unwrap();
        io.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, wire);
    }

    #[tokio::test]
    async fn other_words_end_the_connection_at_the_first_byte() {
        let error = Prefaced::read(&b"G"[..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let error = Prefaced::read(&PREFACE[..23]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
