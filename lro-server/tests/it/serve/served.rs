//! A server on a port of its own, and a connection to it that adds nothing: tonic's channel ends
//! calls at their deadline by itself.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use exporter::pb::{exporter_client::ExporterClient, exporter_server};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lro_core::pb::operations_client::OperationsClient;
use lro_core::{Operation, OperationName};
use lro_server::serve::{Error, Server};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
}

impl Served {
    pub(crate) async fn start(server: Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(listener, async {
            stopped.await.unwrap_or(());
        }));
        Self {
            address,
            stop,
            task,
        }
    }

    /// Begins the end; the task ends with it.
    pub(crate) fn begin_stop(self) -> JoinHandle<Result<(), Error>> {
        self.stop.send(()).unwrap();
        self.task
    }

    pub(crate) async fn stop(self) {
        self.begin_stop().await.unwrap().unwrap();
    }

    pub(crate) fn abort(&self) {
        self.task.abort();
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn connect(&self) -> Direct {
        Direct::over(self.tcp().await).await.unwrap()
    }
}

/// An HTTP/2 connection as a tower service.
#[derive(Clone)]
pub(crate) struct Direct(hyper::client::conn::http2::SendRequest<Body>);

impl Direct {
    pub(crate) async fn over<IO>(io: IO) -> hyper::Result<Self>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let executor = TokioExecutor::new();
        let handshake = hyper::client::conn::http2::handshake(executor, TokioIo::new(io));
        let (sender, connection) = handshake.await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub(crate) fn operations(&self) -> OperationsClient<Self> {
        OperationsClient::with_origin(self.clone(), origin())
    }

    pub(crate) fn exporter(&self) -> ExporterClient<Self> {
        ExporterClient::with_origin(self.clone(), origin())
    }

    pub(crate) fn health(&self) -> HealthClient<Self> {
        HealthClient::with_origin(self.clone(), origin())
    }
}

pub(crate) fn origin() -> http::Uri {
    http::Uri::from_static("http://localhost")
}

impl tower::Service<http::Request<Body>> for Direct {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// A request with a deadline.
pub(crate) fn with_timeout<T>(message: T, timeout: &str) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("grpc-timeout", timeout.parse().unwrap());
    request
}

pub(crate) fn wait_for(name: &OperationName) -> lro_core::pb::WaitOperationRequest {
    lro_core::pb::WaitOperationRequest {
        name: name.to_string(),
        timeout: None,
    }
}

pub(crate) fn table(name: &str) -> GetTableRequest {
    GetTableRequest { name: name.into() }
}

/// A service without operations, whose tables have telling names.
#[derive(Clone, Default)]
pub(crate) struct Plain {
    /// Told when a call hangs.
    pub(crate) hanging: Arc<Notify>,
    /// Releases a held call.
    pub(crate) release: Arc<Notify>,
    /// Told when a call that hangs is dropped.
    pub(crate) dropped: Arc<Notify>,
}

/// Tells of its end.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tonic::async_trait]
impl exporter_server::Exporter for Plain {
    async fn export(
        &self,
        _: Request<ExportRequest>,
    ) -> Result<Response<Operation<ExportResponse, ExportMetadata>>, Status> {
        Err(Status::unimplemented("no operations here"))
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let name = &*request.get_ref().name;
        let (name, rows) = match name {
            "hang" => {
                let _dropped = OnDrop(self.dropped.clone());
                self.hanging.notify_one();
                std::future::pending().await
            }
            "held" => {
                self.hanging.notify_one();
                self.release.notified().await;
                ("released".to_owned(), 0)
            }
            "large" => ("x".repeat(5 * 1024 * 1024), 0),
            "deadline" => {
                let deadline = request.extensions().get::<lro_server::Deadline>();
                let left = deadline.map(|it| it.remaining().as_millis());
                (String::new(), left.unwrap_or_default() as u64)
            }
            "peer" => (request.remote_addr().unwrap().to_string(), 0),
            #[cfg(feature = "tls")]
            "certificate" => {
                let seen = request.peer_certs().map(|it| it[0].to_vec());
                let seen = seen.unwrap_or_default();
                let name = String::from_utf8_lossy(&seen).into_owned();
                (name, seen.len() as u64)
            }
            name => (name.to_owned(), 0),
        };
        Ok(Response::new(Table { name, rows }))
    }
}
