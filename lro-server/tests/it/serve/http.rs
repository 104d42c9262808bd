//! HTTP beside gRPC on one port.

mod hosts;
mod limits;
mod one_port;
mod probes;

use std::convert::Infallible;

use bytes::Bytes;
use exporter::pb::exporter_client::ExporterClient;
use exporter::pb::exporter_server::ExporterServer;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lro_core::{HttpRoute, UnknownTypes};
use lro_server::Operations;
use lro_server::serve::{HostedServices, Server};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Code;
use tonic::body::Body;

use crate::serve::served::{Plain, Served, table};

/// A server with an HTTP service that asks the gRPC service for tables.
pub(crate) fn server(operations: &Operations, plain: Plain) -> Server {
    Server::builder(operations)
        .add_service(ExporterServer::new(plain))
        .http(|services| {
            let services = services.clone();
            let service = tower::service_fn(move |request| {
                let services = services.clone();
                async move { Ok::<_, Infallible>(answer(services, request).await) }
            });
            Ok::<_, Infallible>(service)
        })
}

/// `GET /tables/{name}` calls an rpc with the request's headers and extensions; `POST /length` reads
/// the body.
async fn answer(services: HostedServices, request: Request<Body>) -> Response<String> {
    let path = request.uri().path().to_owned();
    if path == "/length" {
        return match request.into_body().collect().await {
            Ok(body) => Response::new(body.to_bytes().len().to_string()),
            Err(error) => text(StatusCode::REQUEST_TIMEOUT, error.to_string()),
        };
    }
    let Some(name) = path.strip_prefix("/tables/") else {
        return text(StatusCode::NOT_FOUND, format!("nothing at {path}"));
    };
    let (head, _) = request.into_parts();
    let route = HttpRoute::new("/tables/{name}");
    if name == "odd"
        && let Some(unknown_types) = head.extensions.get::<UnknownTypes>()
    {
        unknown_types.count(&route, 3);
    }
    let mut call = tonic::Request::from_parts(
        tonic::metadata::MetadataMap::from_headers(head.headers),
        head.extensions,
        table(name),
    );
    call.metadata_mut().remove("host");
    let mut response = match ExporterClient::new(services).get_table(call).await {
        Ok(table) => Response::new(table.into_inner().name),
        Err(error) => {
            let status = match error.code() {
                Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            text(status, format!("{}: {}", error.code(), error.message()))
        }
    };
    response.extensions_mut().insert(route);
    response
}

fn text(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}

/// An HTTP/1.1 connection.
pub(crate) struct Http1(http1::SendRequest<Full<Bytes>>);

impl Http1 {
    pub(crate) async fn connect(served: &Served) -> Self {
        Self::over(served.tcp().await).await
    }

    pub(crate) async fn over<IO>(io: IO) -> Self
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// The status and the text of the answer.
    pub(crate) async fn get(&mut self, path: &str) -> (u16, String) {
        read(self.send(path, &[]).await).await
    }

    /// Sends a GET with these headers.
    pub(crate) async fn send(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response<Incoming> {
        let mut request = Request::builder().uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.request(request.body(Full::default()).unwrap()).await
    }

    pub(crate) async fn request(&mut self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.0.send_request(request).await.unwrap()
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn closed(&mut self) {
        while self.0.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

pub(super) async fn read(response: Response<Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}
