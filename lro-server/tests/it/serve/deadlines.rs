//! Deadlines over the wire.

use std::future::pending;

use exporter::pb::exporter_server::ExporterServer;
use lro_server::serve::{DeadlineLayer, Server};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_types::StatusExt as _;

use crate::serve::served::{Direct, Plain, Served, table, wait_for, with_timeout};
use crate::support::{name, start};

/// Deadlines from 1 ns to about 300 ms.
fn timeouts() -> impl Iterator<Item = String> {
    let short = ["1n", "1u", "0S", "1m"].map(str::to_owned).into_iter();
    short.chain((0..996).map(|i| format!("{}m", 1 + i % 300)))
}

fn check_exceeded(status: &Status) {
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.reason, "DEADLINE_EXCEEDED");
}

/// guarantee:R16
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_waits_end_with_the_operation_or_deadline_exceeded() {
    let (operations, exporter, _worker) = start(async |_, _| pending().await).await;
    let started = exporter.call(&["a"]).await.unwrap();
    let served = Served::start(Server::builder(&operations)).await;
    let mut waits = JoinSet::new();
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(served.connect().await);
    }
    for (i, timeout) in timeouts().enumerate() {
        let mut client = connections[i % 4].operations();
        let request = with_timeout(wait_for(&name(&started)), &timeout);
        waits.spawn(async move { client.wait_operation(request).await });
    }
    let (mut operations_seen, mut exceeded) = (0, 0);
    while let Some(ended) = waits.join_next().await {
        match ended.unwrap() {
            Ok(operation) => {
                assert!(!operation.into_inner().done);
                operations_seen += 1;
            }
            Err(status) => {
                check_exceeded(&status);
                exceeded += 1;
            }
        }
    }
    assert_eq!(operations_seen + exceeded, 1_000);
    // The margin is there for this; how many come too late depends on the machine.
    assert!(operations_seen > 0, "{exceeded} exceeded");
    drop(connections);
    served.stop().await;
}

/// guarantee:R16
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_hang_are_over_at_their_deadline_on_both_servers() {
    let (operations, ..) = start(async |_, _| pending().await).await;
    let ours = Server::builder(&operations).add_service(ExporterServer::new(Plain::default()));
    let ours = Served::start(ours).await;
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let tonics = tonic::transport::Server::builder()
        .layer(DeadlineLayer::new())
        .add_service(ExporterServer::new(Plain::default()))
        .serve_with_incoming_shutdown(incoming, async {
            stopped.await.unwrap_or(());
        });
    let tonics = tokio::spawn(tonics);
    for address in [ours.address, address] {
        let tcp = TcpStream::connect(address).await.unwrap();
        let client = Direct::over(tcp).await.unwrap();
        let mut calls = JoinSet::new();
        for timeout in timeouts() {
            let mut client = client.exporter();
            let request = with_timeout(table("hang"), &timeout);
            calls.spawn(async move { client.get_table(request).await });
        }
        let mut seen = 0;
        while let Some(ended) = calls.join_next().await {
            check_exceeded(&ended.unwrap().unwrap_err());
            seen += 1;
        }
        assert_eq!(seen, 1_000);
    }
    stop.send(()).unwrap();
    tonics.await.unwrap().unwrap();
    ours.stop().await;
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline() {
    let (operations, ..) = start(async |_, _| pending().await).await;
    let served = Served::start(Server::builder(&operations)).await;
    let mut client = served.connect().await.health();
    let request = with_timeout(HealthCheckRequest::default(), "300m");
    let mut stream = client.watch(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let ended = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream has ended well"),
            Err(status) => break status,
        }
    };
    check_exceeded(&ended);
    served.stop().await;
}

#[tokio::test]
async fn handlers_see_the_deadline_and_odd_headers_give_none() {
    let (operations, ..) = start(async |_, _| pending().await).await;
    let server = Server::builder(&operations).add_service(ExporterServer::new(Plain::default()));
    let served = Served::start(server).await;
    let mut client = served.connect().await.exporter();
    let mut left = async |timeout: &str| {
        let request = with_timeout(table("deadline"), timeout);
        client.get_table(request).await.unwrap().into_inner().rows
    };
    assert!((1..=60_000).contains(&left("1M").await));
    assert_eq!(left("soon").await, 0);
    assert_eq!(left("999999999S").await, 0);
    let far = u128::from(left("99999999H").await);
    assert!(far > 86_400_000, "{far}");
    served.stop().await;
}
