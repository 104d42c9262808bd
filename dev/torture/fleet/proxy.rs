//! The network between a node and the database: a TCP proxy that can be cut, frozen, blacked out, and
//! led to another server.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// One link. Connections end when it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) port: u16,
    state: watch::Sender<State>,
    accepting: AbortHandle,
}

/// The treatment of connections, which are numbered in the order of arrival.
#[derive(Clone, Copy, Debug)]
struct State {
    /// Where new connections lead.
    server: SocketAddr,
    /// How many have come.
    count: u64,
    /// Earlier ones are closed.
    cut: u64,
    /// Earlier ones stay open for ever, and carry nothing.
    frozen: u64,
    /// New ones are closed at once.
    refuses: bool,
    /// Nothing is carried for now.
    is_black: bool,
}

impl State {
    fn is_cut(&self, number: u64) -> bool {
        number < self.cut
    }

    fn is_still(&self, number: u64) -> bool {
        self.is_black || number < self.frozen
    }
}

impl Proxy {
    pub(super) async fn start(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let state = watch::Sender::new(State {
            server,
            count: 0,
            cut: 0,
            frozen: 0,
            refuses: false,
            is_black: false,
        });
        let accepting = tokio::spawn(accept(listener, state.clone()));
        Ok(Self {
            port,
            state,
            accepting: accepting.abort_handle(),
        })
    }

    /// Closes all connections, and refuses new ones until [`mend`](Self::mend).
    pub(super) fn cut(&self) {
        self.state.send_modify(|state| {
            state.cut = state.count;
            state.refuses = true;
        });
    }

    /// All connections there are stay open and say nothing any more. New ones work.
    pub(super) fn freeze(&self) {
        self.state.send_modify(|state| state.frozen = state.count);
    }

    /// Drops all data silently until [`mend`](Self::mend).
    pub(super) fn black_out(&self) {
        self.state.send_modify(|state| state.is_black = true);
    }

    /// New connections lead to another server. Those that are open stay as they are.
    pub(super) fn lead_to(&self, server: SocketAddr) {
        self.state.send_modify(|state| state.server = server);
    }

    /// Connections are made and carry again.
    pub(super) fn mend(&self) {
        self.state.send_modify(|state| {
            state.refuses = false;
            state.is_black = false;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, state: watch::Sender<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut number = 0;
        state.send_modify(|state| {
            number = state.count;
            state.count += 1;
        });
        let State {
            refuses, server, ..
        } = *state.borrow();
        if refuses {
            continue;
        }
        tokio::spawn(carry(client, server, number, state.subscribe()));
    }
}

/// An error on either side ends both.
async fn carry(
    client: TcpStream,
    server: SocketAddr,
    number: u64,
    state: watch::Receiver<State>,
) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        ended = pump(from_client, to_server, number, state.clone()) => ended,
        ended = pump(from_server, to_client, number, state) => ended,
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: u64,
    mut state: watch::Receiver<State>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let seen = *state.borrow_and_update();
        if seen.is_cut(number) {
            return Ok(());
        }
        if seen.is_still(number) {
            if state.changed().await.is_err() {
                return Ok(());
            }
            continue;
        }
        let len = tokio::select! {
            biased;
            changed = state.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Ok(()),
            },
            len = from.read(&mut buffer) => len?,
        };
        if len == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..len]).await?;
    }
}
