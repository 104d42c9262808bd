//! A way to the database whose connections may fall silent.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// The connections through this proxy, which the test can silence.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) url: String,
    pub(crate) port: u16,
    /// Where new connections lead.
    server: Arc<Mutex<String>>,
    /// How often they were silenced. Later connections work.
    silences: Arc<watch::Sender<u64>>,
    accepting: AbortHandle,
}

impl Link {
    /// To the server of that URL, whose host and port the URL spells out.
    pub(crate) async fn to(url: &str) -> Self {
        let server = address(url);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let url = url.replacen(&server, &own.to_string(), 1);
        let silences = Arc::new(watch::Sender::new(0));
        let told = silences.clone();
        let server = Arc::new(Mutex::new(server));
        let target = server.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = target.lock().unwrap().clone();
                let server = TcpStream::connect(server).await.unwrap();
                tokio::spawn(carry(client, server, told.subscribe()));
            }
        });
        Self {
            url,
            port: own.port(),
            server,
            silences,
            accepting: accepting.abort_handle(),
        }
    }

    /// New connections lead to the server of that URL. Those that are open stay as they are.
    pub(crate) fn redirect(&self, url: &str) {
        *self.server.lock().unwrap() = address(url);
    }

    /// No more connections are taken.
    pub(crate) fn close(&self) {
        self.accepting.abort();
    }

    /// The connections there are stay open and say nothing any more.
    pub(crate) fn silence(&self) {
        self.silences.send_modify(|count| *count += 1);
    }
}

async fn carry(client: TcpStream, server: TcpStream, mut silences: watch::Receiver<u64>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (there, back) = (pump(from_client, to_server), pump(from_server, to_client));
    tokio::pin!(there, back);
    silences.mark_unchanged();
    tokio::select! {
        _ = silences.changed() => {}
        () = &mut there => return,
        () = &mut back => return,
    }
    // The sockets stay open: their readers keep waiting.
    std::future::pending::<()>().await;
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}

/// The host and port that a URL spells out.
fn address(url: &str) -> String {
    let config: tokio_postgres::Config = url.parse().unwrap();
    let tokio_postgres::config::Host::Tcp(host) = &config.get_hosts()[0] else {
        panic!("a socket of the file system");
    };
    format!("{host}:{}", config.get_ports()[0])
}
