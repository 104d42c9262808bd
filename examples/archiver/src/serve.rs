//! The server: the service, its worker and its embedded database, over one data folder; gRPC and
//! HTTP/JSON on one port.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lro_console::Console;
use lro_gateway::{Gateway, OpenApi};
use lro_server::serve::{self, HostedServices, ServeLimits, Tls};
use lro_server::{Operations, Worker};
use lro_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use crate::archive::Options;
use crate::pb;
use crate::pb::archiver_server::ArchiverServer;
use crate::service::Archiver;

const DATABASE: &str = "operations.db";
const ARCHIVES: &str = "archives";

/// The protos with their comments.
const COMMENTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/comments.binpb"));

/// How often the leftovers of operations that have ended are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// How long callers have to hang up, and operations to be released, after the bodies' time.
const HANG_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// How a [`Server`] is to run.
///
/// ```
/// use archiver::ServerOptions;
///
/// let options = ServerOptions::new("/var/lib/archiver");
/// assert_eq!(options.listen.port(), 50051);
/// ```
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The address to listen on; with port 0, on a free one.
    pub listen: SocketAddr,
    /// The folder for the database `operations.db` and for `archives/`; made if it is not there.
    pub data: PathBuf,
    /// How long operations that run may run on when the server shuts down. An unfinished one
    /// resumes after the next start.
    pub drain_timeout: Duration,
    /// How archives are packed.
    pub pack: Options,
    /// TLS, and who may call; without it, everybody who reaches the address.
    pub tls: Option<Tls>,
    /// The address of the web console, if there should be one: a loopback address, since the archiver
    /// knows no users.
    pub console: Option<SocketAddr>,
}

impl ServerOptions {
    /// The default of [`listen`](Self::listen).
    pub const LISTEN: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50051);
    /// The default of [`drain_timeout`](Self::drain_timeout).
    pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

    /// The defaults, with this data folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            listen: Self::LISTEN,
            data: data.into(),
            drain_timeout: Self::DRAIN_TIMEOUT,
            pack: Options::default(),
            tls: None,
            console: None,
        }
    }
}

/// A server that listens, and runs what an earlier one has left.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    listener: TcpListener,
    archiver: Arc<Archiver>,
    operations: Operations,
    worker: Worker,
    drain_timeout: Duration,
    tls: Option<Tls>,
    console: Option<(TcpListener, Console)>,
}

impl Server {
    /// Opens the database, takes the address, and starts to run operations.
    ///
    /// # Errors
    ///
    /// When the folder or the address cannot be used; another server that uses one of them is the
    /// usual reason.
    pub async fn bind(options: ServerOptions) -> Result<Self, Error> {
        let data = options.data;
        std::fs::create_dir_all(&data).map_err(|source| {
            Error::new(format!("cannot use the folder {}", data.display()), source)
        })?;
        let address = options.listen;
        let cannot_listen =
            |source: io::Error| Error::new(format!("cannot listen on {address}"), source);
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let console = match options.console {
            Some(address) => Some(TcpListener::bind(address).await.map_err(|source| {
                Error::new(
                    format!("cannot listen on {address} for the console"),
                    source,
                )
            })?),
            None => None,
        };
        let store = SqliteStore::open(data.join(DATABASE))
            .await
            .map_err(|source| Error::new("cannot open the database", source))?;
        let operations = Operations::builder(store)
            .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            .map_err(|source| Error::new("cannot read the descriptors of the protos", source))?
            .build();
        let console = match console {
            Some(listener) => {
                let console = Console::of_server(&operations)
                    .map_err(|source| Error::new("cannot make the console", source))?;
                Some((listener, console.title("archiver")))
            }
            None => None,
        };
        let archives = data.join(ARCHIVES);
        let cannot_use = || format!("cannot use the folder {}", archives.display());
        let archiver = Archiver::new(&operations, &archives, options.pack)
            .map_err(|source| Error::new(cannot_use(), source))?;
        let archiver = Arc::new(archiver);
        let swept = archiver.sweep().await;
        swept.map_err(|source| Error::new(cannot_use(), source))?;
        let worker = Worker::builder(&operations)
            .host(archiver.clone())
            .drain_timeout(options.drain_timeout)
            .start()
            .await
            .map_err(|source| Error::new("cannot run operations", source))?;
        Ok(Self {
            address,
            listener,
            archiver,
            operations,
            worker,
            drain_timeout: options.drain_timeout,
            tls: options.tls,
            console,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the console listens, if there is one.
    pub fn console_address(&self) -> Option<SocketAddr> {
        let (listener, _) = self.console.as_ref()?;
        listener.local_addr().ok()
    }

    /// Serves until `shutdown` is over. Then takes no more calls, answers waiters, and lets the
    /// operations that run finish, or releases them to the next start.
    ///
    /// # Errors
    ///
    /// When a certificate or a key cannot be used.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let archiver = self.archiver;
        let limits = ServeLimits::default()
            .shutdown_timeout(self.drain_timeout.saturating_add(HANG_UP_TIMEOUT));
        let server = serve::Server::builder(&self.operations)
            .add_service(ArchiverServer::from_arc(archiver.clone()))
            .add_service(self.operations.inspection())
            .worker(self.worker)
            .limits(limits)
            .http(gateway);
        let server = match self.tls {
            Some(tls) => server.tls(tls),
            None => server,
        };
        let shutdown = async {
            tokio::select! {
                () = shutdown => {}
                () = keep_sweeping(&archiver) => {}
            }
        };
        let (closing, closed) = oneshot::channel::<()>();
        let served = async {
            let served = server.serve(self.listener, shutdown).await;
            drop(closing);
            served.map_err(|source| Error::new("cannot serve", source))
        };
        let shown = async {
            let Some((listener, console)) = self.console else {
                return Ok(());
            };
            let shown = console.serve(listener, async { drop(closed.await) }).await;
            shown.map_err(|source| Error::new("cannot serve the console", source))
        };
        tokio::try_join!(served, shown).map(|_| ())
    }
}

/// HTTP/JSON for the rpcs of the server, after the annotations of the protos.
fn gateway(services: &HostedServices) -> Result<Gateway, lro_gateway::BuildError> {
    let document = OpenApi::new()
        .title("Archiver")
        .version(env!("CARGO_PKG_VERSION"))
        .comments(COMMENTS);
    Gateway::builder(services.clone())
        .file_descriptor_sets(services.descriptor_sets())
        .max_body(services.limits().max_decode_len)
        .openapi(document)
        .build()
}

async fn keep_sweeping(archiver: &Archiver) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(status) = archiver.sweep().await {
            tracing::warn!(%status, "cannot remove what ended operations have left");
        }
    }
}

/// A server that cannot run.
#[derive(Debug)]
pub struct Error {
    what: String,
    source: Box<dyn StdError + Send + Sync>,
}

impl Error {
    fn new(what: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            what: what.into(),
            source: source.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The cause itself stands in the text.
        self.source.source()
    }
}
