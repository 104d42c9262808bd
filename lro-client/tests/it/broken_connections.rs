//! A connection that breaks in the middle of a call is sat out, whatever tonic makes of it.

use std::time::Duration;

use lro_client::{OperationsClient, Poller};
use lro_core::pb::operations_server::OperationsServer;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};

use crate::support::{Fake, NAME, TestPoller, response, succeeded};

#[derive(Clone, Copy, Debug)]
enum Cut {
    Reset,
    Close,
}

/// Stands between client and server, and cuts all connections when it is told to.
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
    // Two waits that hang, then one that is answered.
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
    let waiting = tokio::spawn(poller.with_time_limit(Duration::from_secs(60)).until_done());
    for how in [Cut::Reset, Cut::Close] {
        assert_eq!(arrivals.recv().await, Some("wait"));
        cut.send(how)?;
    }
    assert_eq!(waiting.await??, response());
    Ok(())
}
