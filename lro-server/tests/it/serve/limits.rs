//! Limits of a server against misbehaving clients.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::exporter_server::ExporterServer;
use lro_core::pb;
use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::serve::{ServeLimits, Server};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::serve::raw::{self, closed, frame, opening};
use crate::serve::served::{Direct, Plain, Served, table, wait_for};
use crate::serve::spans::Log;
use crate::support::faulty::Node;
use crate::support::{exported, name, start_on};

async fn plain(limits: ServeLimits) -> (Served, Plain) {
    let operations = Operations::new(MemoryStore::new());
    let plain = Plain::default();
    let server = Server::builder(&operations)
        .add_service(ExporterServer::new(plain.clone()))
        .limits(limits);
    (Served::start(server).await, plain)
}

/// guarantee:R15
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_waiters_delay_no_call_and_all_are_woken() {
    const WAITERS: usize = 10_000;
    let store = Arc::new(MemoryStore::new());
    let node = Node::lagging(&store, 0);
    let gate = Arc::new(Semaphore::new(0));
    let gated = gate.clone();
    let body = move |_, _| {
        let gated = gated.clone();
        async move {
            let _open = gated.acquire().await;
            Ok(exported(1))
        }
    };
    let (operations, exporter, _worker) = start_on(node.clone(), |it| it, body).await;
    let started = exporter.call(&["a"]).await.unwrap();
    let limits = ServeLimits::default().health_interval(Duration::MAX);
    let served = Served::start(Server::builder(&operations).limits(limits)).await;
    let mut waits = JoinSet::new();
    for _ in 0..WAITERS / 250 {
        let connection = served.connect().await;
        for _ in 0..250 {
            let (mut client, request) = (connection.operations(), wait_for(&name(&started)));
            waits.spawn(async move { client.wait_operation(request).await });
        }
    }
    let all_wait = |gets: &usize| *gets > WAITERS;
    node.gets.subscribe().wait_for(all_wait).await.unwrap();
    let mut client = served.connect().await.operations();
    for _ in 0..100 {
        let name = started.name().to_owned();
        let got = client.get_operation(pb::GetOperationRequest { name }).await;
        assert!(!got.unwrap().into_inner().done);
    }
    gate.add_permits(1);
    let mut woken = 0;
    while let Some(ended) = waits.join_next().await {
        assert!(ended.unwrap().unwrap().into_inner().done);
        woken += 1;
    }
    assert_eq!(woken, WAITERS);
    drop(client);
    served.stop().await;
}

/// guarantee:R15
#[tokio::test]
async fn connections_that_say_nothing_are_closed() {
    let limits = ServeLimits::default()
        .first_bytes_timeout(Duration::from_millis(200))
        .keep_alive_interval(Duration::from_millis(100))
        .keep_alive_timeout(Duration::from_millis(100));
    let (served, _) = plain(limits).await;
    let mut silent = JoinSet::new();
    for words in [&b""[..], b"PRI * HT", b"GET / HTTP/1.1\r\n\r\n"] {
        for _ in 0..20 {
            let mut tcp = served.tcp().await;
            tcp.write_all(words).await.unwrap();
            silent.spawn(async move { assert_eq!(closed(&mut tcp).await, 0) });
        }
    }
    // One that has said its first words, and then does not answer pings.
    let mut tcp = served.tcp().await;
    tcp.write_all(&opening()).await.unwrap();
    silent.spawn(async move { assert!(closed(&mut tcp).await > 0) });
    while let Some(ended) = silent.join_next().await {
        ended.unwrap();
    }
    // One that is alive is left alone.
    let mut alive = served.connect().await.exporter();
    alive.get_table(table("a")).await.unwrap();
    drop(alive);
    served.stop().await;
}

/// report:S5
#[tokio::test]
async fn refused_connections_are_logged_once_with_the_limit_to_raise() {
    for (max, per_ip, limit) in [(1, 9, "max_connections"), (9, 1, "max_connections_per_ip")] {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        let _logging = tracing::subscriber::set_default(subscriber);
        let limits = ServeLimits::default()
            .max_connections(max)
            .max_connections_per_ip(per_ip);
        let (served, _) = plain(limits).await;
        let connection = served.connect().await;
        connection.exporter().get_table(table("a")).await.unwrap();
        for _ in 0..5 {
            assert_eq!(closed(&mut served.tcp().await).await, 0);
        }
        let text = log.text();
        let warnings: Vec<_> = text
            .lines()
            .filter(|line| line.contains("connections refused"))
            .collect();
        assert_eq!(warnings.len(), 1, "{text}");
        assert!(warnings[0].contains("WARN"), "{text}");
        let limit = format!("limit=\"{limit}\"");
        assert!(warnings[0].contains(&limit), "{text}");
        drop(connection);
        served.stop().await;
    }
}

/// guarantee:R15
#[tokio::test]
async fn connections_above_the_cap_are_refused() {
    for limits in [
        ServeLimits::default().max_connections(2),
        ServeLimits::default().max_connections_per_ip(2),
    ] {
        let (served, _) = plain(limits).await;
        let mut connections = Vec::new();
        for _ in 0..2 {
            let connection = served.connect().await;
            connection.exporter().get_table(table("a")).await.unwrap();
            connections.push(connection);
        }
        for _ in 0..3 {
            assert_eq!(closed(&mut served.tcp().await).await, 0);
        }
        // The place of one that goes is given to the next.
        connections.pop();
        let next = loop {
            let Ok(next) = Direct::over(served.tcp().await).await else {
                continue;
            };
            if next.exporter().get_table(table("a")).await.is_ok() {
                break next;
            }
        };
        drop((connections, next));
        served.stop().await;
    }
}

/// guarantee:R15
#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let (served, _) = plain(ServeLimits::default()).await;
    let mut tcp = served.tcp().await;
    tcp.write_all(&opening()).await.unwrap();
    // :method POST, :scheme http, :path /, from the static table of HPACK.
    let headers = [0x83, 0x86, 0x84];
    let mut flood = Vec::new();
    for stream in 0..128_u32 {
        let id = 2 * stream + 1;
        flood.extend(frame(raw::HEADERS, 4, id, &headers));
        flood.extend(frame(raw::RST_STREAM, 0, id, &8_u32.to_be_bytes()));
    }
    tcp.write_all(&flood).await.unwrap();
    let goaway = loop {
        let frame = raw::next(&mut tcp).await.expect("a GOAWAY before the end");
        if frame.kind == raw::GOAWAY {
            break frame;
        }
    };
    let code: [u8; 4] = goaway.payload[4..8].try_into().unwrap();
    assert_eq!(u32::from_be_bytes(code), raw::ENHANCE_YOUR_CALM);
    closed(&mut tcp).await;
    served.stop().await;
}

#[tokio::test]
async fn the_number_of_calls_is_announced() {
    let (served, _) = plain(ServeLimits::default()).await;
    let mut tcp = served.tcp().await;
    tcp.write_all(&opening()).await.unwrap();
    let settings = raw::next(&mut tcp).await.unwrap();
    assert_eq!((settings.kind, settings.flags), (raw::SETTINGS, 0));
    let max = settings.payload.chunks(6).find_map(|setting| {
        let id = u16::from_be_bytes(setting[..2].try_into().unwrap());
        let value = u32::from_be_bytes(setting[2..].try_into().unwrap());
        (id == raw::MAX_CONCURRENT_STREAMS).then_some(value)
    });
    assert_eq!(max, Some(256));
    drop(tcp);
    served.stop().await;
}

/// guarantee:R15
#[tokio::test]
async fn messages_that_are_too_large_are_refused_both_ways() {
    let (served, _) = plain(ServeLimits::default()).await;
    let connection = served.connect().await;
    let large = "x".repeat(5 * 1024 * 1024);
    let mut exporter = connection.exporter();
    let mut operations = connection.operations();
    let request = pb::GetOperationRequest {
        name: large.clone(),
    };
    for (what, refused) in [
        ("request", exporter.get_table(table(&large)).await.err()),
        ("request", operations.get_operation(request).await.err()),
        ("response", exporter.get_table(table("large")).await.err()),
    ] {
        let refused = refused.unwrap();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
        assert!(refused.message().contains(what), "{}", refused.message());
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.reason, "LIMIT_EXCEEDED");
        assert_eq!(info.metadata["limit"], (4 * 1024 * 1024).to_string());
    }
    let fits = "x".repeat(3 * 1024 * 1024);
    let answer = exporter.get_table(table(&fits)).await.unwrap();
    assert_eq!(answer.into_inner().name.len(), fits.len());
    drop((connection, exporter, operations));
    served.stop().await;
}

#[tokio::test]
async fn headers_that_are_too_large_are_refused() {
    let (served, _) = plain(ServeLimits::default()).await;
    let mut client = served.connect().await.exporter();
    let mut request = Request::new(table("a"));
    let header = "x".repeat(20 * 1024).parse().unwrap();
    request.metadata_mut().insert("x-large", header);
    client.get_table(request).await.unwrap_err();
    client.get_table(table("a")).await.unwrap();
    drop(client);
    served.stop().await;
}

/// guarantee:R15
#[tokio::test]
async fn a_slow_reader_blocks_no_other_call() {
    let (served, _) = plain(ServeLimits::default()).await;
    let slow = served.connect().await;
    let large = "x".repeat(3 * 1024 * 1024);
    let mut unread = Vec::new();
    for _ in 0..8 {
        // The answers are larger than what the connection takes in without being read.
        let mut channel = slow.clone();
        let message = prost::Message::encode_to_vec(&table(&large));
        let mut body = vec![0];
        body.extend((message.len() as u32).to_be_bytes());
        body.extend(message);
        let body = tonic::body::Body::new(http_body_util::Full::from(body));
        let request = http::Request::post("http://localhost/exporter.v1.Exporter/GetTable")
            .header("content-type", "application/grpc")
            .body(body)
            .unwrap();
        let answer = tower::Service::call(&mut channel, request).await.unwrap();
        assert_eq!(answer.status(), 200);
        unread.push(answer);
    }
    let mut quick = served.connect().await.exporter();
    for _ in 0..20 {
        let answer = quick.get_table(table(&large)).await.unwrap();
        assert_eq!(answer.into_inner().name.len(), large.len());
    }
    drop((unread, slow, quick));
    served.stop().await;
}

#[tokio::test]
async fn connections_that_are_old_are_sent_away_when_their_calls_are_over() {
    let limits = ServeLimits::default().max_connection_age(Duration::from_millis(100));
    let (served, plain) = plain(limits).await;
    let mut client = served.connect().await.exporter();
    let call = tokio::spawn(async move { client.get_table(table("held")).await });
    plain.hanging.notified().await;
    // A connection of the same age, on which nothing happens.
    let mut tcp = served.tcp().await;
    tcp.write_all(&opening()).await.unwrap();
    let mut sent_away = false;
    while let Some(frame) = raw::next(&mut tcp).await {
        sent_away |= frame.kind == raw::GOAWAY;
    }
    assert!(sent_away);
    assert!(!call.is_finished());
    plain.release.notify_one();
    let answer = call.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.name, "released");
    served.stop().await;
}

#[tokio::test]
async fn limits_without_an_end_are_no_trouble() {
    let never = Duration::MAX;
    let limits = ServeLimits::default()
        .max_concurrent_streams(0)
        .first_bytes_timeout(never)
        .tls_handshake_timeout(never)
        .keep_alive_interval(never)
        .keep_alive_timeout(never)
        .max_connection_age(never)
        .connection_age_jitter(f64::INFINITY)
        .health_interval(never)
        .health_timeout(never)
        .shutdown_timeout(never);
    let (served, _) = plain(limits).await;
    let mut client = served.connect().await.exporter();
    client.get_table(table("a")).await.unwrap();
    let peer = client.get_table(table("peer")).await.unwrap().into_inner();
    assert!(peer.name.starts_with("127.0.0.1:"), "{peer:?}");
    drop(client);
    served.stop().await;
}
