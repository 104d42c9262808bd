//! The gateway and a gRPC server on one port.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lro_gateway::Gateway;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::wire::{Received, Sent};

/// Serves HTTP/1.1 and HTTP/2 on a port of its own, for as long as the test runs.
pub(crate) async fn serve<S>(gateway: Gateway, grpc: S) -> Result<SocketAddr, String>
where
    S: tower::Service<
            Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error = Infallible,
        > + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (gateway, grpc) = (gateway.clone(), grpc.clone());
            let service =
                hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (gateway, grpc) = (gateway.clone(), grpc.clone());
                    async move {
                        let is_grpc = request
                            .headers()
                            .get("content-type")
                            .is_some_and(|value| value == "application/grpc");
                        if is_grpc {
                            let response = grpc.oneshot(request.map(tonic::body::Body::new)).await;
                            response.map(|response| {
                                response.map(|body| body.map_err(BoxError::from).boxed_unsync())
                            })
                        } else {
                            let response = gateway.oneshot(request).await;
                            response.map(|response| {
                                response.map(|body| body.map_err(BoxError::from).boxed_unsync())
                            })
                        }
                    }
                });
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                // A client that goes away is no fault of the case.
                let _ = builder
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
    Ok(address)
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Sends a request over HTTP/2.
pub(crate) async fn send_http2(address: SocketAddr, sent: &Sent) -> std::io::Result<Received> {
    let socket = tokio::net::TcpStream::connect(address).await?;
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await;
    let (mut client, connection) = handshake.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(sent.method.as_str())
        .uri(format!("http://{address}{}", sent.path));
    for (name, value) in &sent.headers {
        request = request.header(name.as_str(), &**value);
    }
    let request = request
        .body(Full::new(bytes::Bytes::from(sent.body.clone())))
        .map_err(std::io::Error::other)?;
    let response = client
        .send_request(request)
        .await
        .map_err(std::io::Error::other)?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?;
    Ok(Received {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.to_bytes().to_vec(),
        is_whole: true,
    })
}
