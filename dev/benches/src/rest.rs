//! HTTP/JSON against gRPC on the same port of the same server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use lro_core::pb::operations_client::OperationsClient;
use lro_core::pb::{GetOperationRequest, ListOperationsRequest};
use lro_core::store::MemoryStore;
use lro_gateway::Gateway;
use lro_server::serve::HostedServices;
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Channel;
use tower::ServiceExt as _;

use crate::Setting;
use crate::footprint::resident_kib;
use crate::service::{AsyncWork, Server, drive};
use crate::table::{per_second, percentiles, print, rate, ratio};

/// Callers, each with a connection of its own.
const CALLERS: usize = 16;
/// Operations of the list, each with a response and metadata in an Any.
const LISTED: usize = 1_000;

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let server = Server::start(MemoryStore::new(), 16).await?;
    let name = server.begin("now").await?;
    server.operations.wait(&name, None).await?;
    let hosted = Arc::new(Mutex::new(None));
    let address = server.listen_with_http(gateway, hosted.clone()).await?;
    let path = format!("/v1/{name}");
    gets(setting, address, &path, name.as_str()).await?;
    let hosted = hosted.lock().ok().and_then(|mut hosted| hosted.take());
    let hosted = hosted.ok_or_else(|| anyhow::anyhow!("the server has made its HTTP service"))?;
    in_process(setting, hosted.clone(), &path, name.as_str()).await?;
    for _ in 1..LISTED {
        let name = server.begin("now").await?;
        server.operations.wait(&name, None).await?;
    }
    lists(setting, address).await?;
    odd_lists(setting, &hosted).await?;
    watches(setting, &server, address).await
}

pub(crate) fn gateway(services: &HostedServices) -> Result<Gateway, lro_gateway::BuildError> {
    Gateway::builder(services.clone())
        .file_descriptor_sets(services.descriptor_sets())
        .build()
}

/// One call by gRPC, or by HTTP.
#[derive(Clone)]
enum Call {
    Grpc(OperationsClient<Channel>, String),
    List(OperationsClient<Channel>),
    Http(Arc<Http>, String),
}

/// A connection for each caller, made when it calls first.
struct Http {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Empty<Bytes>>>>,
}

impl Http {
    fn new(address: SocketAddr) -> Arc<Self> {
        let idle = Mutex::default();
        Arc::new(Self { address, idle })
    }

    async fn get(&self, path: &str) -> anyhow::Result<Bytes> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect(self.address).await?,
        };
        // The end of the last body is known here a little before the connection is free.
        connection.ready().await?;
        let request = Request::get(path).header("host", "localhost");
        let response = connection.send_request(request.body(Empty::new())?).await?;
        anyhow::ensure!(response.status() == 200, "{}", response.status());
        let body = response.into_body().collect().await?.to_bytes();
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(connection);
        }
        Ok(body)
    }
}

pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Empty<Bytes>>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn grpc(address: SocketAddr) -> anyhow::Result<OperationsClient<Channel>> {
    let channel = Channel::from_shared(format!("http://{address}"))?;
    Ok(OperationsClient::new(channel.connect().await?))
}

impl AsyncWork for Call {
    async fn once(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Grpc(client, name) => {
                let name = name.clone();
                client.get_operation(GetOperationRequest { name }).await?;
            }
            Self::List(client) => {
                let request = ListOperationsRequest {
                    page_size: LISTED as i32,
                    ..Default::default()
                };
                let list = client.list_operations(request).await?.into_inner();
                anyhow::ensure!(list.operations.len() == LISTED, "{}", list.operations.len());
            }
            Self::Http(http, path) => {
                http.get(path).await?;
            }
        }
        Ok(())
    }
}

/// Measures calls by turns, three times each.
async fn compare(
    title: &str,
    count: usize,
    callers: usize,
    calls: Vec<(&str, Call)>,
) -> anyhow::Result<()> {
    let mut best = vec![(0.0, Vec::new()); calls.len()];
    for _ in 0..3 {
        for ((_, call), best) in calls.iter().zip(&mut best) {
            drive(callers, count / 10, call.clone()).await?;
            let (took, samples) = drive(callers, count, call.clone()).await?;
            let rate = rate(count, took);
            if rate > best.0 {
                *best = (rate, samples);
            }
        }
    }
    let reference = best[0].0;
    let rows: Vec<_> = calls
        .iter()
        .zip(best)
        .map(|((what, _), (rate, samples))| {
            vec![
                (*what).to_owned(),
                per_second(rate),
                ratio(rate, reference),
                percentiles(samples),
            ]
        })
        .collect();
    print(title, &["calls", "rate", "of gRPC", "p50 / p99"], &rows);
    Ok(())
}

async fn gets(
    setting: &Setting,
    address: SocketAddr,
    path: &str,
    name: &str,
) -> anyhow::Result<()> {
    let calls = vec![
        (
            "gRPC, one connection",
            Call::Grpc(grpc(address).await?, name.to_owned()),
        ),
        (
            "HTTP/1.1, a connection each",
            Call::Http(Http::new(address), path.to_owned()),
        ),
    ];
    let title = "GetOperation, 16 callers";
    compare(title, setting.scale(40_000), CALLERS, calls).await
}

async fn lists(setting: &Setting, address: SocketAddr) -> anyhow::Result<()> {
    let path = format!("/v1/operations?pageSize={LISTED}");
    let bytes = Http::new(address).get(&path).await?.len();
    let calls = vec![
        ("gRPC", Call::List(grpc(address).await?)),
        ("HTTP/1.1", Call::Http(Http::new(address), path)),
    ];
    let title = format!("ListOperations, 1,000 operations with Any, {bytes} bytes of JSON");
    compare(&title, setting.scale(400), 2, calls).await
}

/// A page whose every Any is of a type that the gateway does not know, and so base64.
async fn odd_lists(setting: &Setting, hosted: &HostedServices) -> anyhow::Result<()> {
    let count = setting.scale(200);
    let known = gateway(hosted)?;
    let without = Gateway::builder(hosted.clone()).build()?;
    let mut rows = Vec::new();
    let mut reference = Duration::ZERO;
    for (what, gateway) in [("known types", known), ("unknown types", without)] {
        let mut best = Duration::MAX;
        let mut bytes = 0;
        for _ in 0..3 {
            let begun = Instant::now();
            for _ in 0..count {
                let path = format!("/v1/operations?pageSize={LISTED}");
                let request = Request::get(path).body(Empty::<Bytes>::new())?;
                let response = gateway.clone().oneshot(request).await?;
                anyhow::ensure!(response.status() == 200, "{}", response.status());
                bytes = response.into_body().collect().await?.to_bytes().len();
            }
            best = best.min(begun.elapsed());
        }
        if reference.is_zero() {
            reference = best;
        }
        rows.push(vec![
            what.to_owned(),
            bytes.to_string(),
            format!("{:.2} ms", best.as_secs_f64() * 1e3 / count as f64),
            ratio(best.as_secs_f64(), reference.as_secs_f64()),
        ]);
    }
    let title = "A page of 1,000 operations without a socket, two Anys in each";
    print(title, &["Anys", "bytes", "time", "of known"], &rows);
    Ok(())
}

/// The gateway called without a socket, against the rpc called without a socket.
async fn in_process(
    setting: &Setting,
    hosted: HostedServices,
    path: &str,
    name: &str,
) -> anyhow::Result<()> {
    let count = setting.scale(40_000);
    let gateway = gateway(&hosted)?;
    let mut client = OperationsClient::new(hosted);
    let mut best = [Duration::MAX; 2];
    for _ in 0..3 {
        let begun = Instant::now();
        for _ in 0..count {
            let name = name.to_owned();
            client.get_operation(GetOperationRequest { name }).await?;
        }
        best[0] = best[0].min(begun.elapsed());
        let begun = Instant::now();
        for _ in 0..count {
            let request = Request::get(path).body(Empty::<Bytes>::new())?;
            let response = gateway.clone().oneshot(request).await?;
            response.into_body().collect().await?;
        }
        best[1] = best[1].min(begun.elapsed());
    }
    let each = best.map(|took| took.as_secs_f64() * 1e6 / count as f64);
    let row = |what: &str, micros: f64| {
        vec![
            what.to_owned(),
            format!("{micros:.1} µs"),
            ratio(micros, each[0]),
        ]
    };
    print(
        "GetOperation without a socket, one caller",
        &["call", "time", "of the rpc"],
        &[row("rpc", each[0]), row("HTTP/JSON to the rpc", each[1])],
    );
    Ok(())
}

/// Memory for each watch against a bare hyper connection, and the time from a change to its event.
async fn watches(setting: &Setting, server: &Server, address: SocketAddr) -> anyhow::Result<()> {
    let count = setting.scale(2_000);
    let name = server.begin("wait").await?;
    let path = format!("/v1/{name}:watch");
    let bare = bare().await?;
    let mut each = Vec::new();
    let mut held = Vec::new();
    for (what, address) in [("warm-up", bare), ("bare hyper", bare), ("watch", address)] {
        let before = resident_kib(None)?;
        for _ in 0..count {
            held.push(open(address, &path).await?);
        }
        let grown = resident_kib(None)?.saturating_sub(before);
        each.push((what, grown as f64 / count as f64));
    }
    let more = each[2].1 - each[1].1;
    let mut rows: Vec<_> = each[1..]
        .iter()
        .map(|(what, each)| vec![(*what).to_owned(), format!("{each:.2} KiB")])
        .collect();
    rows.push(vec!["difference".to_owned(), format!("{more:.2} KiB")]);
    let title = format!("Memory for each of {count} connections with an open stream, both ends");
    print(&title, &["connection", "growth of the resident set"], &rows);
    drop(held);

    let mut events = Vec::new();
    let mut trips = Vec::new();
    let http = Http::new(address);
    for _ in 0..setting.scale(400) {
        let name = server.begin("wait").await?;
        let path = format!("/v1/{name}");
        let (_connection, mut body) = open(address, &format!("{path}:watch")).await?;
        let begun = Instant::now();
        http.get(&path).await?;
        trips.push(begun.elapsed());
        let begun = Instant::now();
        server.operations.cancel(&name).await?;
        while let Some(frame) = body.frame().await {
            let data = frame?.into_data().unwrap_or_default();
            if data.windows(12).any(|part| part == b"\"done\":true,") {
                break;
            }
        }
        events.push(begun.elapsed());
    }
    let median = |samples: &[Duration]| {
        let mut samples = samples.to_vec();
        samples.sort_unstable();
        samples[samples.len() / 2].as_secs_f64()
    };
    let factor = ratio(median(&events), median(&trips));
    print(
        "From a cancellation to the last event of its watch",
        &["", "p50 / p99", "of a round trip"],
        &[
            vec![
                "GetOperation, HTTP/1.1".to_owned(),
                percentiles(trips),
                "1.00".to_owned(),
            ],
            vec![
                "cancellation to event".to_owned(),
                percentiles(events),
                factor,
            ],
        ],
    );
    Ok(())
}

/// Opens a stream and reads its first part.
async fn open(
    address: SocketAddr,
    path: &str,
) -> anyhow::Result<(SendRequest<Empty<Bytes>>, Incoming)> {
    let mut connection = connect(address).await?;
    let request = Request::get(path).header("host", "localhost");
    let response = connection.send_request(request.body(Empty::new())?).await?;
    anyhow::ensure!(response.status() == 200, "{}", response.status());
    let mut body = response.into_body();
    anyhow::ensure!(body.frame().await.is_some(), "the stream has no first part");
    Ok((connection, body))
}

/// A hyper server that answers with one part of a stream and leaves it open.
async fn bare() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|_: Request<Incoming>| async {
                let first = Full::new(Bytes::from(vec![b'x'; 300]));
                let first = futures_util::stream::once(async move {
                    Ok::<_, Infallible>(Frame::data(first.collect().await?.to_bytes()))
                });
                let open = futures_util::StreamExt::chain(first, futures_util::stream::pending());
                Ok::<_, Infallible>(Response::new(StreamBody::new(Box::pin(open))))
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
        }
    });
    Ok(address)
}
