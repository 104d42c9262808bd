//! Where connections come from.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::Error;

/// Where to listen: an address, or a listener that is bound already.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use lro_server::serve::Listen;
///
/// let address: Listen = std::net::SocketAddr::from(([0, 0, 0, 0], 50051)).into();
/// let bound: Listen = tokio::net::TcpListener::bind("127.0.0.1:0").await?.into();
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Listen(Kind);

#[derive(Debug)]
enum Kind {
    Address(SocketAddr),
    Bound(TcpListener),
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self(Kind::Address(address))
    }
}

impl From<TcpListener> for Listen {
    fn from(listener: TcpListener) -> Self {
        Self(Kind::Bound(listener))
    }
}

impl Listen {
    pub(super) async fn bind(self) -> Result<TcpListener, Error> {
        match self.0 {
            Kind::Bound(listener) => Ok(listener),
            Kind::Address(address) => TcpListener::bind(address)
                .await
                .map_err(|source| Error::new(format!("cannot listen on {address}"), source)),
        }
    }
}

/// A source of connections.
pub(super) trait Accept {
    type Io;

    async fn accept(&mut self) -> io::Result<(Self::Io, SocketAddr)>;
}

impl Accept for TcpListener {
    type Io = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        Self::accept(self).await
    }
}

/// Connections, one after the other, whatever happens in between.
#[derive(Debug)]
pub(super) struct Incoming<L> {
    listener: L,
    failures: u32,
}

impl<L: Accept> Incoming<L> {
    pub(super) fn new(listener: L) -> Self {
        Self {
            listener,
            failures: 0,
        }
    }

    /// The next connection. Where the system has no room for one, it is asked again after a pause
    /// that grows: at once, it would say the same.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop: no connection is lost.
    pub(super) async fn next(&mut self) -> (L::Io, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    if self.failures > 0 {
                        tracing::info!("accepting connections again");
                    }
                    self.failures = 0;
                    return accepted;
                }
                Err(error) if is_of_one_connection(&error) => tokio::task::yield_now().await,
                Err(error) => {
                    if self.failures == 0 {
                        tracing::warn!(%error, "cannot accept connections; trying again");
                    }
                    let pause = pause(self.failures);
                    self.failures = self.failures.saturating_add(1);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// Whether only a connection has failed that was about to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
    )
}

fn pause(failures: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);
    FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// Fails a number of times before it accepts.
    struct Failing {
        kind: io::ErrorKind,
        left: usize,
        calls: usize,
    }

    impl Accept for Failing {
        type Io = ();

        async fn accept(&mut self) -> io::Result<((), SocketAddr)> {
            self.calls += 1;
            if self.left == 0 {
                return Ok(((), SocketAddr::from(([127, 0, 0, 1], 1))));
            }
            self.left -= 1;
            Err(self.kind.into())
        }
    }

    async fn accept(kind: io::ErrorKind, left: usize) -> (Duration, usize) {
        let mut incoming = Incoming::new(Failing {
            kind,
            left,
            calls: 0,
        });
        let begun = Instant::now();
        incoming.next().await;
        (begun.elapsed(), incoming.listener.calls)
    }

    #[tokio::test(start_paused = true)]
    async fn a_system_without_room_is_not_asked_in_a_busy_loop() {
        let emfile = io::Error::from_raw_os_error(24).kind();
        let (took, calls) = accept(emfile, 9).await;
        assert_eq!(calls, 10);
        // 10 + 20 + .. + 640 ms, then 1 s each.
        assert_eq!(took, Duration::from_millis(1_270 + 2_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_connection_delays_no_other() {
        let (took, calls) = accept(io::ErrorKind::ConnectionAborted, 5).await;
        assert_eq!((took, calls), (Duration::ZERO, 6));
    }
}
