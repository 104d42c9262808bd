//! Health, reflection, and the end of a server.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use exporter::pb;
use exporter::pb::exporter_server::ExporterServer;
use lro_core::store::MemoryStore;
use lro_server::serve::{ServeLimits, Server};
use lro_server::{Operations, Worker};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::{v1, v1alpha};

use crate::serve::served::{Plain, Served, origin, table, wait_for};
use crate::support;
use crate::support::faulty::Node;
use crate::support::{exported, name, start, start_on};

const SERVICES: [&str; 5] = [
    "exporter.v1.Exporter",
    "google.longrunning.Operations",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

fn health_of(service: &str) -> HealthCheckRequest {
    let service = service.to_owned();
    HealthCheckRequest { service }
}

async fn until(stream: &mut Streaming<HealthCheckResponse>, status: ServingStatus) {
    while stream.message().await.unwrap().unwrap().status() != status {}
}

#[tokio::test]
async fn health_follows_the_store_and_the_end() {
    let store = Arc::new(MemoryStore::new());
    let node = Node::lagging(&store, 0);
    let operations = Operations::new(node.clone());
    let limits = ServeLimits::default().health_interval(Duration::from_millis(10));
    let server = Server::builder(&operations)
        .add_service(ExporterServer::new(Plain::default()))
        .limits(limits);
    let served = Served::start(server).await;
    let mut client = served.connect().await.health();
    let mut all = client.watch(health_of("")).await.unwrap().into_inner();
    let one = client.watch(health_of(SERVICES[0])).await;
    let mut one = one.unwrap().into_inner();
    for (down, status) in [
        (false, ServingStatus::Serving),
        (true, ServingStatus::NotServing),
        (false, ServingStatus::Serving),
    ] {
        node.set_down(down);
        until(&mut all, status).await;
        until(&mut one, status).await;
        for service in ["", SERVICES[0], SERVICES[1]] {
            let checked = client.check(health_of(service)).await.unwrap();
            assert_eq!(checked.into_inner().status(), status, "{service}");
        }
    }
    let unknown = client.check(health_of("unknown")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    // A health watcher receives the shutdown, and does not delay it.
    let begun = Instant::now();
    let ending = served.begin_stop();
    until(&mut all, ServingStatus::NotServing).await;
    until(&mut one, ServingStatus::NotServing).await;
    let ended = all.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    ending.await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// report:W5
#[tokio::test]
async fn reflection_knows_the_services_and_their_files_in_both_versions() {
    let builder = Operations::builder(MemoryStore::new());
    let builder = builder.file_descriptor_set(pb::FILE_DESCRIPTOR_SET);
    let operations = builder.unwrap().build();
    let server = Server::builder(&operations).add_service(ExporterServer::new(Plain::default()));
    let served = Served::start(server).await;
    let connection = served.connect().await;
    let host = String::new();
    // The two versions are the same messages in different packages.
    macro_rules! check {
        ($version:ident) => {{
            use $version::server_reflection_client::ServerReflectionClient;
            use $version::server_reflection_request::MessageRequest as Ask;
            use $version::server_reflection_response::MessageResponse as Answer;
            let mut client = ServerReflectionClient::with_origin(connection.clone(), origin());
            let mut ask = async |ask: Ask| {
                let request = $version::ServerReflectionRequest {
                    host: host.clone(),
                    message_request: Some(ask),
                };
                let answers = client
                    .server_reflection_info(tokio_stream::once(request))
                    .await;
                let answer = answers.unwrap().into_inner().message().await.unwrap();
                answer.unwrap().message_response.unwrap()
            };
            let Answer::ListServicesResponse(listed) = ask(Ask::ListServices(String::new())).await
            else {
                panic!("no list");
            };
            let mut listed: Vec<_> = listed.service.into_iter().map(|it| it.name).collect();
            listed.sort();
            assert_eq!(listed, SERVICES);
            for symbol in [
                "exporter.v1.Exporter.Export",
                "google.longrunning.Operations",
                "grpc.health.v1.Health",
            ] {
                let answer = ask(Ask::FileContainingSymbol(symbol.to_owned())).await;
                assert!(
                    matches!(answer, Answer::FileDescriptorResponse(_)),
                    "{symbol}"
                );
            }
        }};
    }
    check!(v1);
    check!(v1alpha);
    drop(connection);
    served.stop().await;
}

#[tokio::test]
async fn reflection_can_be_left_out_and_bad_descriptors_are_said() {
    let operations = Operations::new(MemoryStore::new());
    let served = Served::start(Server::builder(&operations).without_reflection()).await;
    let connection = served.connect().await;
    let client = v1::server_reflection_client::ServerReflectionClient::with_origin;
    let mut client = client(connection, origin());
    let nothing = tokio_stream::empty::<v1::ServerReflectionRequest>();
    let refused = client.server_reflection_info(nothing).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    drop(client);
    served.stop().await;

    let server = Server::builder(&operations).file_descriptor_set(b"\xff\xff");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let error = server.serve(address, pending()).await.unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("cannot read a file descriptor set: "),
        "{error}"
    );
}

#[tokio::test]
async fn a_service_may_take_the_place_of_ours_and_is_not_added_twice() {
    let operations = Operations::new(MemoryStore::new());
    let refuse = |_: tonic::Request<()>| Err(tonic::Status::unauthenticated("who are you"));
    let guarded = InterceptedService::new(operations.service(), refuse);
    let served = Served::start(Server::builder(&operations).add_service(guarded)).await;
    let mut client = served.connect().await.operations();
    let refused = client.wait_operation(wait_for(&"operations/1".parse().unwrap()));
    assert_eq!(refused.await.unwrap_err().code(), Code::Unauthenticated);
    drop(client);
    served.stop().await;

    let server = Server::builder(&operations)
        .add_service(ExporterServer::new(Plain::default()))
        .add_service(ExporterServer::new(Plain::default()));
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let error = server.serve(address, pending()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot serve exporter.v1.Exporter: it was added twice"
    );
}

#[tokio::test]
async fn an_address_that_is_taken_is_said() {
    let operations = Operations::new(MemoryStore::new());
    let served = Served::start(Server::builder(&operations)).await;
    let second = Server::builder(&operations).serve(served.address, pending());
    let error = second.await.unwrap_err();
    let expected = format!("cannot listen on {}: ", served.address);
    assert!(error.to_string().starts_with(&expected), "{error}");
    served.stop().await;
}

/// guarantee:R16
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_waits_are_answered_with_the_latest_state_at_the_end() {
    let store = Arc::new(MemoryStore::new());
    let node = Node::lagging(&store, 0);
    let body = async |_, _| pending().await;
    let (operations, exporter, worker) = start_on(node.clone(), |it| it, body).await;
    let started = exporter.call(&["a"]).await.unwrap();
    let limits = ServeLimits::default()
        .shutdown_timeout(Duration::from_secs(20))
        .health_interval(Duration::MAX);
    let served = Served::start(Server::builder(&operations).limits(limits)).await;
    let mut waits = JoinSet::new();
    for _ in 0..5 {
        let connection = served.connect().await;
        for _ in 0..200 {
            let (mut client, request) = (connection.operations(), wait_for(&name(&started)));
            waits.spawn(async move { client.wait_operation(request).await });
        }
    }
    let all_wait = |gets: &usize| *gets > 1_000;
    node.gets.subscribe().wait_for(all_wait).await.unwrap();
    let begun = Instant::now();
    let ending = served.begin_stop();
    let mut answered = 0;
    while let Some(ended) = waits.join_next().await {
        assert!(!ended.unwrap().unwrap().into_inner().done);
        answered += 1;
    }
    assert_eq!(answered, 1_000);
    ending.await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{begun:?}");
    drop(worker);
}

#[tokio::test]
async fn the_end_lets_calls_finish_and_takes_no_new_connection() {
    let operations = Operations::new(MemoryStore::new());
    let plain = Plain::default();
    let server = Server::builder(&operations).add_service(ExporterServer::new(plain.clone()));
    let served = Served::start(server).await;
    let mut client = served.connect().await.exporter();
    let call = tokio::spawn(async move { client.get_table(table("held")).await });
    plain.hanging.notified().await;
    let address = served.address;
    // A silent connection does not delay the shutdown.
    let _silent = served.tcp().await;
    let ending = served.begin_stop();
    while TcpStream::connect(address).await.is_ok() {}
    assert!(!ending.is_finished());
    plain.release.notify_one();
    let answer = call.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.name, "released");
    ending.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_cuts_calls_that_do_not_come_to_theirs() {
    let operations = Operations::new(MemoryStore::new());
    let plain = Plain::default();
    let limits = ServeLimits::default().shutdown_timeout(Duration::from_millis(300));
    let server = Server::builder(&operations)
        .add_service(ExporterServer::new(plain.clone()))
        .limits(limits);
    let served = Served::start(server).await;
    let mut client = served.connect().await.exporter();
    let call = tokio::spawn(async move { client.get_table(table("hang")).await });
    plain.hanging.notified().await;
    let begun = Instant::now();
    served.stop().await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(300), "{took:?}");
    // On a busy machine it takes longer; the call would not end at all.
    assert!(took < Duration::from_secs(10), "{took:?}");
    call.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn the_end_drains_workers_within_its_time() {
    let store = Arc::new(MemoryStore::new());
    let node = Node::lagging(&store, 0);
    let (events, mut seen) = mpsc::unbounded_channel();
    let release = Arc::new(Notify::new());
    let released = release.clone();
    let body = move |request: pb::ExportRequest, operation: support::Context| {
        let (events, released) = (events.clone(), released.clone());
        async move {
            events.send(operation.attempt()).ok();
            match &*request.tables[0] {
                "ends" => released.notified().await,
                _ => pending().await,
            }
            Ok(exported(1))
        }
    };
    let (operations, exporter, worker) = start_on(node, |it| it, body).await;
    let ends = exporter.call(&["ends"]).await.unwrap();
    let hangs = exporter.call(&["hangs"]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(seen.recv().await, Some(1));
    }
    let limits = ServeLimits::default().shutdown_timeout(Duration::from_millis(500));
    let server = Server::builder(&operations).worker(worker).limits(limits);
    let served = Served::start(server).await;
    let ending = served.begin_stop();
    release.notify_one();
    ending.await.unwrap().unwrap();
    assert!(operations.get(&name(&ends)).await.unwrap().done);
    assert!(!operations.get(&name(&hangs)).await.unwrap().done);
    // It was released: the next worker claims it immediately, and the attempt does not count.
    let _next = Worker::builder(&operations).host(exporter).start().await;
    assert_eq!(seen.recv().await, Some(1));
}

#[tokio::test]
async fn a_server_that_is_dropped_cuts_its_connections() {
    let (operations, ..) = start(async |_, _| pending().await).await;
    let plain = Plain::default();
    let server = Server::builder(&operations).add_service(ExporterServer::new(plain.clone()));
    let served = Served::start(server).await;
    let mut client = served.connect().await.exporter();
    let call = tokio::spawn(async move { client.get_table(table("hang")).await });
    plain.hanging.notified().await;
    served.abort();
    call.await.unwrap().unwrap_err();
}

/// report:E4
#[tokio::test]
async fn health_says_that_a_full_store_refuses_starts() {
    let store = Arc::new(MemoryStore::new());
    let node = Node::alone(&store);
    let operations = Operations::new(node.clone());
    let limits = ServeLimits::default().health_interval(Duration::from_millis(10));
    let server = Server::builder(&operations)
        .add_service(ExporterServer::new(Plain::default()))
        .limits(limits);
    let served = Served::start(server).await;
    let mut client = served.connect().await.health();
    let mut all = client.watch(health_of("")).await.unwrap().into_inner();
    until(&mut all, ServingStatus::Serving).await;
    node.set_full(true);
    until(&mut all, ServingStatus::NotServing).await;
    let one = client.watch(health_of(SERVICES[0])).await;
    until(&mut one.unwrap().into_inner(), ServingStatus::NotServing).await;
    // Callers may wait, cancel and delete.
    let checked = client.check(health_of(SERVICES[1])).await.unwrap();
    assert_eq!(checked.get_ref().status(), ServingStatus::Serving);
    node.set_full(false);
    until(&mut all, ServingStatus::Serving).await;
    served.stop().await;
}
