//! The shutdown is bounded, whatever a connection does.

use std::future::pending;
use std::time::Duration;

use lro_server::serve::{ServeLimits, Server};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::serve::served::Served;
use crate::support::{exported, name, start};

/// report:E1
#[tokio::test]
async fn a_connection_that_says_nothing_does_not_hold_up_the_shutdown() {
    let (operations, exporter, worker) = start(async |_, _| pending().await).await;
    let started = exporter.call(&["a"]).await.unwrap();
    let limits = ServeLimits::default()
        .first_bytes_timeout(Duration::MAX)
        .shutdown_timeout(Duration::from_secs(2));
    let server = Server::builder(&operations).worker(worker).limits(limits);
    let served = Served::start(server).await;
    let mut silent = served.tcp().await;
    let begun = Instant::now();
    served.stop().await;
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(crate::serve::raw::closed(&mut silent).await, 0);
    // The worker was drained: the operation is released for the next one.
    let record = operations.get(&name(&started)).await.unwrap();
    assert!(!record.done);
}

/// report:E1
#[tokio::test]
async fn a_plain_tonic_server_that_drains_beside_its_shutdown_ends() {
    use lro_server::serve::GrpcOnlyLayer;
    use tokio_util::sync::CancellationToken;
    use tonic::transport::server::TcpIncoming;

    let (operations, exporter, worker) = start(async |_, _| Ok(exported(1))).await;
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = incoming.local_addr().unwrap();
    let closing = CancellationToken::new();
    let router = tonic::transport::Server::builder()
        .layer(GrpcOnlyLayer::new())
        .add_service(operations.service());
    let serving = router.serve_with_incoming_shutdown(incoming, closing.clone().cancelled_owned());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ending = async {
        stopped.await.unwrap();
        closing.cancel();
        operations.close();
        worker.drain().await;
    };
    let program = async {
        tokio::select! {
            served = serving => served.unwrap(),
            () = ending => {}
        }
    };
    let caller = async {
        let silent = TcpStream::connect(address).await.unwrap();
        exporter.call(&["a"]).await.unwrap();
        stop.send(()).unwrap();
        silent
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), async {
        tokio::join!(program, caller)
    });
    // Both have ended, with the silent connection still open.
    let ((), silent) = ended.await.expect("the program ends");
    drop(silent);
}
