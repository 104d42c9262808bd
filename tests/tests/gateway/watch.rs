//! Watches: operations as server-sent events.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use lro_gateway::{Gateway, GatewayBuilder};
use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
use lro_server::{Limits, OperationsBuilder};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tonic::Status;

use crate::served::{Served, gateway};
use crate::server;

/// An event of a stream.
#[derive(Debug, Default)]
struct Event {
    kind: String,
    id: String,
    data: String,
    retry: String,
}

impl Event {
    fn operation(&self) -> Value {
        assert_eq!(self.kind, "operation", "{self:?}");
        serde_json::from_str(&self.data).unwrap()
    }

    fn tables_done(&self) -> u64 {
        self.operation()["metadata"]["tablesDone"]
            .as_u64()
            .unwrap_or_default()
    }
}

/// A client of a watch, by the rules of EventSource.
struct Client {
    status: u16,
    headers: HeaderMap,
    body: Incoming,
    text: String,
}

impl Client {
    async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut request = Request::get(path).header("host", address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            text: String::new(),
        }
    }

    /// The next event that has data; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        let mut retry = String::new();
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let mut event = Event::default();
                for line in block.lines() {
                    let (field, value) = line.split_once(": ").unwrap();
                    match field {
                        "event" => value.clone_into(&mut event.kind),
                        "id" => value.clone_into(&mut event.id),
                        "data" => event.data.push_str(value),
                        "retry" => value.clone_into(&mut retry),
                        "" => {}
                        other => panic!("the field {other}"),
                    }
                }
                self.text = rest.to_owned();
                if !event.data.is_empty() {
                    event.retry = retry;
                    return Some(event);
                }
            }
            let frame = self.body.frame().await?.unwrap();
            let data = frame.into_data().unwrap();
            self.text.push_str(str::from_utf8(&data).unwrap());
        }
    }

    async fn json(mut self) -> Value {
        let body = (&mut self.body).collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap()
    }
}

async fn serve(settings: impl FnOnce(OperationsBuilder) -> OperationsBuilder) -> Served {
    Served::start(settings, gateway).await
}

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

/// gateway:140 gateway:141
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_sends_each_state_from_the_first_to_the_last() {
    let served = serve(|builder| builder).await;
    let name = served.export("steps").await;
    let path = format!("/v1/{name}");
    let mut verb = Client::open(served.address, &format!("{path}:watch"), &[]).await;
    let mut accept = Client::open(served.address, &path, &[EVENTS]).await;
    for client in [&mut verb, &mut accept] {
        assert_eq!(client.status, 200);
        assert_eq!(client.headers["content-type"], "text/event-stream");
        assert_eq!(client.headers["cache-control"], "no-store, no-transform");
        assert_eq!(client.headers["x-accel-buffering"], "no");
        let first = client.next().await.unwrap();
        assert_eq!(
            (first.operation()["name"].as_str(), &*first.retry),
            (Some(&*name), "2000")
        );
    }
    for step in 1..=3 {
        served.steps.add_permits(1);
        let mut ids = Vec::new();
        for client in [&mut verb, &mut accept] {
            loop {
                let event = client.next().await.unwrap();
                if event.tables_done() == step {
                    ids.push(event.id);
                    break;
                }
                assert!(event.tables_done() < step);
            }
        }
        assert_eq!(ids[0], ids[1]);
        let got = served.send("GET", &path, "").await;
        assert_eq!(got.headers["etag"], format!("\"{}\"", ids[0]));
        assert_eq!(got.headers["cache-control"], "no-store");
    }
    served.steps.add_permits(1);
    for client in [&mut verb, &mut accept] {
        let last = client.next().await.unwrap();
        assert_eq!(last.operation()["done"], true);
        assert_eq!(last.operation()["response"]["tablesExported"], 1);
        assert!(client.next().await.is_none());
    }
    served.stop().await;
}

/// gateway:140
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_connects_again_gets_news_only() {
    let served = serve(|builder| builder).await;
    let name = served.export("steps").await;
    let path = format!("/v1/{name}:watch");
    served.steps.add_permits(1);
    let mut first = Client::open(served.address, &path, &[]).await;
    let seen = loop {
        let event = first.next().await.unwrap();
        if event.tables_done() == 1 {
            break event.id;
        }
    };
    let mut again = Client::open(served.address, &path, &[("last-event-id", &seen)]).await;
    let mut stale = Client::open(served.address, &path, &[("last-event-id", "other")]).await;
    assert_eq!(stale.next().await.unwrap().id, seen);
    served.steps.add_permits(1);
    assert_eq!(again.next().await.unwrap().tables_done(), 2);
    served.steps.add_permits(2);
    let mut last = String::new();
    while let Some(event) = again.next().await {
        last = event.id;
    }
    let ended = Client::open(served.address, &path, &[("last-event-id", &last)]).await;
    assert_eq!(ended.status, 204);
    let mut late = Client::open(served.address, &path, &[]).await;
    assert_eq!(late.next().await.unwrap().id, last);
    assert!(late.next().await.is_none());
    served.stop().await;
}

/// gateway:129 gateway:140
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_have_a_status_before_the_first_event_and_an_event_later() {
    let served = serve(|builder| builder).await;
    let missing = Client::open(served.address, "/v1/operations/none:watch", &[]).await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json().await["error"]["status"], "NOT_FOUND");
    let bad = Client::open(served.address, "/v1/operations/a/b", &[EVENTS]).await;
    assert_eq!(bad.status, 400);
    let name = served.export("endless").await;
    let mut client = Client::open(served.address, &format!("/v1/{name}:watch"), &[]).await;
    client.next().await.unwrap().operation();
    served
        .operations
        .delete(&name.parse().unwrap())
        .await
        .unwrap();
    let error = loop {
        let event = client.next().await.unwrap();
        if event.kind == "error" {
            break event;
        }
    };
    let error: Value = serde_json::from_str(&error.data).unwrap();
    assert_eq!(error["error"]["status"], "NOT_FOUND");
    assert!(client.next().await.is_none());
    served.stop().await;
}

/// gateway:140
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_shutdown_says_goodbye() {
    let served = serve(|builder| builder).await;
    let name = served.export("endless").await;
    let mut client = Client::open(served.address, &format!("/v1/{name}:watch"), &[]).await;
    client.next().await.unwrap().operation();
    let stopping = served.begin_stop();
    let mut last = String::new();
    while let Some(event) = client.next().await {
        last = event.kind;
    }
    assert_eq!(last, "bye");
    stopping.await.unwrap().unwrap();
}

/// gateway:123 gateway:140
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_and_the_longest_watch_end_with_goodbye() {
    let short = |services: &_| gateway(services).max_watch(std::time::Duration::from_millis(50));
    let served = Served::start(|builder| builder, short).await;
    let name = served.export("endless").await;
    let path = format!("/v1/{name}:watch");
    for headers in [&[][..], &[("x-server-timeout", "0.04")]] {
        let mut client = Client::open(served.address, &path, headers).await;
        let mut last = String::new();
        while let Some(event) = client.next().await {
            last = event.kind;
        }
        assert_eq!(last, "bye");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_are_limited() {
    let limits = Limits::default().max_change_subscribers(1);
    let served = serve(|builder| builder.limits(limits)).await;
    let name = served.export("endless").await;
    let path = format!("/v1/{name}:watch");
    let mut only = Client::open(served.address, &path, &[]).await;
    only.next().await.unwrap();
    let refused = Client::open(served.address, &path, &[]).await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.json().await["error"]["status"],
        "RESOURCE_EXHAUSTED"
    );
    drop(only);
    served.stop().await;
}

/// Lets callers in who know the word, until it is another.
#[derive(Debug)]
struct Word(watch::Receiver<&'static str>);

#[tonic::async_trait]
impl Authorizer for Word {
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        if caller.header("authorization") == Some(*self.0.borrow()) {
            Ok(Principal::new("caller"))
        } else {
            Err(Status::unauthenticated("what is the word?"))
        }
    }

    async fn authorize(&self, _: &Call<'_>) -> Result<Access, Status> {
        Ok(Access::Allowed)
    }
}

/// gateway:140
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_ends_with_the_permission_of_its_caller() {
    let (word, words) = watch::channel("sesame");
    let served = serve(|builder| builder.authorizer(Word(words))).await;
    let body = r#"{"tables":["steps"]}"#;
    let known = [("authorization", "sesame")];
    let started = served
        .send_with("POST", "/v1/exports", body, &known)
        .await
        .json();
    let path = format!("/v1/{}:watch", started["name"].as_str().unwrap());
    let stranger = Client::open(served.address, &path, &[("authorization", "x")]).await;
    assert_eq!(stranger.status, 401);
    let mut client = Client::open(served.address, &path, &known).await;
    client.next().await.unwrap().operation();
    served.steps.add_permits(1);
    while client.next().await.unwrap().tables_done() < 1 {}
    word.send("another").unwrap();
    served.steps.add_permits(1);
    let refused = client.next().await.unwrap();
    assert_eq!(refused.kind, "error");
    assert!(refused.data.contains("UNAUTHENTICATED"), "{refused:?}");
    assert!(client.next().await.is_none());
    served.stop().await;
}

/// A gateway in another process polls; its events are the same.
///
/// gateway:140
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_sends_the_same_events() {
    let served = serve(|builder| builder).await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", served.address));
    let channel = channel.unwrap().connect().await.unwrap();
    let proxy: GatewayBuilder = Gateway::builder(channel);
    let proxy = proxy
        .file_descriptor_set(exporter::pb::FILE_DESCRIPTOR_SET)
        .build()
        .unwrap();
    let address = server::serve(proxy, tonic::service::Routes::default().prepare())
        .await
        .unwrap();
    let name = served.export("steps").await;
    let path = format!("/v1/{name}:watch");
    let mut direct = Client::open(served.address, &path, &[]).await;
    let mut proxied = Client::open(address, &path, &[]).await;
    for step in 1..=3 {
        served.steps.add_permits(1);
        let mut ids = Vec::new();
        for client in [&mut direct, &mut proxied] {
            loop {
                let event = client.next().await.unwrap();
                if event.tables_done() == step {
                    ids.push(event.id);
                    break;
                }
            }
        }
        assert_eq!(ids[0], ids[1], "step {step}");
    }
    served.steps.add_permits(1);
    for client in [&mut direct, &mut proxied] {
        assert_eq!(client.next().await.unwrap().operation()["done"], true);
        assert!(client.next().await.is_none());
    }
    served.stop().await;
}

/// spec:146 gateway:141
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unchanged_operation_is_not_sent_again() {
    let hinting =
        |services: &_| gateway(services).poll_interval(std::time::Duration::from_millis(1_500));
    let served = Served::start(|builder| builder, hinting).await;
    let name = served.export("endless").await;
    let path = format!("/v1/{name}");
    // The first metadata of the body may still be on its way.
    let parsed = name.parse().unwrap();
    while served
        .operations
        .get(&parsed)
        .await
        .unwrap()
        .metadata
        .is_none()
    {
        tokio::task::yield_now().await;
    }
    let first = served.send("GET", &path, "").await;
    assert_eq!(first.headers["retry-after"], "2");
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let known = [("if-none-match", &*tag)];
    let again = served.send_with("GET", &path, "", &known).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.headers["etag"], *tag);
    served.send("POST", &format!("{path}:cancel"), "").await;
    served.send("POST", &format!("{path}:wait"), "").await;
    let ended = served.send_with("GET", &path, "", &known).await;
    assert_eq!(ended.status, 200);
    assert!(!ended.headers.contains_key("retry-after"));
    assert!(!ended.headers.contains_key("cache-control"));
    served.stop().await;
}
