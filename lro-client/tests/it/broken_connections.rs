//! A poller tolerates a path that breaks in the middle of a call, however it breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use lro_client::{OperationsClient, Poller};
use lro_core::pb::operations_server::OperationsServer;
use prost::Message as _;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};

use crate::support::{Fake, NAME, TestPoller, response, succeeded};

#[derive(Clone, Copy, Debug)]
enum Cut {
    Reset,
    Close,
}

/// A proxy between client and server that cuts all connections on demand.
async fn proxy(upstream: String, cut: broadcast::Sender<Cut>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut cut = cut.subscribe();
            let mut server = TcpStream::connect(&upstream).await.unwrap();
            tokio::spawn(async move {
                let cut = tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => return,
                    cut = cut.recv() => cut,
                };
                match cut {
                    Ok(Cut::Reset) => client.set_zero_linger().unwrap(),
                    _ => client.shutdown().await.unwrap(),
                }
            });
        }
    });
    Ok(address)
}

#[tokio::test]
async fn a_broken_connection_does_not_end_the_wait() -> Result<(), Box<dyn std::error::Error>> {
    // Two calls that hang, then one that is answered.
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let fake = Fake::new(move |call| {
        arrived.send(call.method).unwrap();
        async move {
            match call.index {
                0 | 1 => std::future::pending().await,
                _ => Ok(succeeded()),
            }
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let upstream = listener.local_addr()?.to_string();
    let router = Server::builder().add_service(OperationsServer::from_arc(fake));
    tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    let (cut, _) = broadcast::channel(1);
    let url = format!("http://{}", proxy(upstream, cut.clone()).await?);
    let operations = OperationsClient::new(Endpoint::from_shared(url)?.connect().await?);

    let poller: TestPoller = Poller::resume(NAME, &operations);
    let waiting = tokio::spawn(poller.time_limit(Duration::from_secs(60)).until_done());
    // After a wait that was cut, the poller asks without waiting.
    for (how, method) in [(Cut::Reset, "wait"), (Cut::Close, "get")] {
        assert_eq!(arrivals.recv().await, Some(method));
        cut.send(how)?;
    }
    assert_eq!(waiting.await??, response());
    Ok(())
}

/// How a proxy or a server breaks a call.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// The stream alone.
    Reset(Reason),
    /// The connection, with a GOAWAY.
    GoAway(Reason),
}

/// When it does so.
#[derive(Clone, Copy, Debug)]
enum When {
    BeforeHeaders,
    AfterHeaders,
    WithinMessage,
}

/// A server that breaks its first call, and answers all others.
async fn breaking(how: Break, when: When) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let calls = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let calls = calls.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                // A stream whose handles are dropped is reset, in another way than the test's.
                let (mut streams, mut bodies) = (Vec::new(), Vec::new());
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let path = request.uri().path().to_owned();
                    streams.push(request);
                    if calls.fetch_add(1, Relaxed) > 0 {
                        answer(&mut respond, &path);
                        continue;
                    }
                    let mut body = match when {
                        When::BeforeHeaders => None,
                        _ => Some(respond.send_response(headers(), false).unwrap()),
                    };
                    if let (When::WithinMessage, Some(body)) = (when, &mut body) {
                        body.send_data(Bytes::from_static(&[0, 0, 0, 0, 9, 1]), false)
                            .unwrap();
                    }
                    match (how, &mut body) {
                        (Break::Reset(reason), Some(body)) => body.send_reset(reason),
                        (Break::Reset(reason), None) => respond.send_reset(reason),
                        (Break::GoAway(reason), _) => connection.abrupt_shutdown(reason),
                    }
                    bodies.extend(body);
                }
            });
        }
    });
    Ok(url)
}

fn headers() -> http::Response<()> {
    let response = http::Response::builder().header("content-type", "application/grpc");
    response.body(()).unwrap()
}

/// The operation is done.
fn answer(respond: &mut h2::server::SendResponse<Bytes>, path: &str) {
    assert!(
        path.starts_with("/google.longrunning.Operations/"),
        "{path}"
    );
    let message = succeeded().encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    let mut body = respond.send_response(headers(), false).unwrap();
    body.send_data(frame.into(), false).unwrap();
    let status = http::HeaderValue::from_static("0");
    let trailers =
        http::HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), status)]);
    body.send_trailers(trailers).unwrap();
}

/// report:C3
#[tokio::test]
async fn a_stream_that_is_reset_in_any_way_does_not_end_the_wait() {
    let reasons = || (0..=14).map(Reason::from);
    let breaks = reasons()
        .map(Break::Reset)
        .chain(reasons().map(Break::GoAway));
    let mut cases = JoinSet::new();
    for how in breaks {
        for when in [When::BeforeHeaders, When::AfterHeaders, When::WithinMessage] {
            cases.spawn(async move {
                let url = breaking(how, when).await.unwrap();
                let channel = Endpoint::from_shared(url).unwrap().connect_lazy();
                let poller: TestPoller = Poller::resume(NAME, &OperationsClient::new(channel));
                let poller = poller.time_limit(Duration::from_secs(60));
                match poller.until_done().await {
                    Ok(found) if found == response() => None,
                    other => Some(format!("{how:?} {when:?}: {other:?}")),
                }
            });
        }
    }
    let mut wrong = Vec::new();
    while let Some(case) = cases.join_next().await {
        wrong.extend(case.unwrap());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
