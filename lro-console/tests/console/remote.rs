//! The console of a server elsewhere, with the inspection service and without.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::exporter_server::{Exporter as ExporterRpc, ExporterServer};
use exporter::pb::{self, ExportRequest};
use http::header::{COOKIE, HOST, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::Full;
use lro_client::OperationsClient;
use lro_console::{Console, Remote};
use lro_core::OperationName;
use lro_core::store::{Command, MemoryStore};
use lro_server::serve::Server;
use lro_server::{Operations, Worker};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use crate::fixture::{Fixture, get, post, send};
use crate::live::Stream;
use crate::resubmit::Tables;
use crate::sites::Site;

/// A server on a port, with an operation that has ended.
struct Elsewhere {
    service: Arc<Tables>,
    operations: Operations,
    channel: Channel,
    worker: Worker,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

impl Elsewhere {
    async fn start(has_inspection: bool) -> Self {
        let operations = Operations::new(MemoryStore::new());
        let service = Arc::new(Tables::new(&operations));
        let worker = Worker::builder(&operations).host(service.clone());
        let worker = worker.start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let mut server =
            Server::builder(&operations).add_service(ExporterServer::from_arc(service.clone()));
        if has_inspection {
            server = server.add_service(operations.inspection());
        }
        let shutdown = async { drop(stopped.await) };
        let served = async move { server.serve(listener, shutdown).await.unwrap() };
        Self {
            service,
            operations,
            channel: Channel::from_shared(url).unwrap().connect_lazy(),
            worker,
            stop,
            served: tokio::spawn(served),
        }
    }

    async fn ended(&self) -> OperationName {
        let tables = vec!["users".to_owned(), "orders".to_owned()];
        let request = tonic::Request::new(ExportRequest { tables });
        let started = ExporterRpc::export(&*self.service, request).await.unwrap();
        let name: OperationName = started.into_inner().name().parse().unwrap();
        self.operations.wait(&name, None).await.unwrap();
        name
    }

    fn remote(&self) -> Remote {
        Remote::new(OperationsClient::new(self.channel.clone()))
    }

    async fn stop(self) {
        drop((self.channel, self.operations));
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
        self.worker.drain().await;
    }
}

/// The console of a server that offers the standard only, with its operations.
pub(crate) async fn bare_site() -> (&'static str, Site, Vec<OperationName>) {
    let elsewhere = Elsewhere::start(false).await;
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(elsewhere.ended().await);
    }
    let site = Site::open(console(elsewhere.remote()).title("elsewhere.example")).await;
    // It serves until the test ends.
    std::mem::forget(elsewhere);
    ("bare", site, names)
}

fn console(remote: Remote) -> Console {
    let console = Console::of_remote(remote);
    console
        .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
        .unwrap()
}

/// In one process, where the paused clock moves only while every task waits.
#[tokio::test(start_paused = true)]
async fn an_end_is_told_at_once_where_the_server_offers_wait_operation() {
    let fixture = Fixture::new();
    let name = fixture.pending().await;
    for waits in [true, false] {
        let service = fixture.operations.service();
        let service = tower::service_fn(move |request: Request<tonic::body::Body>| {
            let mut service = service.clone();
            async move {
                if !waits && request.uri().path().ends_with("/WaitOperation") {
                    return Ok(Status::unimplemented("no waits here").into_http());
                }
                tower::Service::call(&mut service, request).await
            }
        });
        let console = console(Remote::new(OperationsClient::new(service)));
        let name = if waits {
            name.clone()
        } else {
            fixture.pending().await
        };
        let mut stream = Stream::open(&console, &[("operation", &format!(" {name}"))]).await;
        assert_eq!(stream.rows().await[0]["state"], "RUNNING");
        let begun = tokio::time::Instant::now();
        fixture.update(&name, Command::cancel()).await;
        assert_eq!(stream.rows().await[0]["state"], "CANCELLED");
        assert_eq!(begun.elapsed() < Duration::from_secs(1), waits);
    }
}

#[tokio::test]
async fn any_server_has_a_console_that_says_what_is_missing() {
    let elsewhere = Elsewhere::start(false).await;
    let name = elsewhere.ended().await;
    let console = console(elsewhere.remote());
    let list = get(&console, "/").await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.text);
    for text in [
        name.as_str(),
        "SUCCEEDED",
        "The server tells only what google.longrunning has",
    ] {
        assert!(list.text.contains(text), "{text}\n{}", list.text);
    }
    assert!(!list.text.contains("data-count"));
    let page = get(&console, &format!("/operation?name={name}")).await;
    assert!(page.text.contains("tables_exported"), "{}", page.text);
    assert!(
        page.text
            .contains("the server does not offer lro.v1.Inspection")
    );
    let overview = get(&console, "/overview").await;
    assert_eq!(overview.status, StatusCode::NOT_IMPLEMENTED);
    assert!(overview.text.contains("does not offer lro.v1.Inspection"));
    let row = format!(" {name}");
    let form = [("operation", &*row), ("newest_name", name.as_str())];
    let mut stream = Stream::begin(&console, &form).await;
    let (kind, data) = stream.event().await;
    assert_eq!((&*kind, &data["interval"]), ("open", &5.into()));
    assert_eq!(stream.rows().await[0]["state"], "SUCCEEDED");

    let form = [("action", "delete"), ("operation", &*row)];
    let asked = post(&console, "/confirm", &form).await;
    // Other servers keep no reasons.
    assert!(!asked.text.contains("name=\"reason\""), "{}", asked.text);
    let deleted = post(&console, "/act", &form).await;
    assert_eq!(deleted.status, StatusCode::SEE_OTHER, "{}", deleted.text);
    let missing = get(&console, &format!("/operation?name={name}")).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    elsewhere.stop().await;
}

#[tokio::test]
async fn a_server_with_inspection_has_the_whole_console() {
    let elsewhere = Elsewhere::start(true).await;
    let name = elsewhere.ended().await;
    let service = elsewhere.channel.clone();
    let service = service.map_err(|error| Status::from_error(Box::new(error)));
    let console = console(elsewhere.remote().inspection(service));
    let list = get(&console, "/").await;
    for text in [
        name.as_str(),
        "data-count=\"succeeded\">1</span>",
        "Exporter/Export",
    ] {
        assert!(list.text.contains(text), "{text}\n{}", list.text);
    }
    let overview = get(&console, "/overview").await;
    for text in ["1 ended, 0 of them failed", "0 of 100"] {
        assert!(overview.text.contains(text), "{text}\n{}", overview.text);
    }
    let page = get(&console, &format!("/operation?name={name}")).await;
    let chosen = page.text.split("name=\"operation\" value=\"").nth(1);
    let chosen = chosen.unwrap().split('"').next().unwrap();
    let form = [("action", "resubmit"), ("operation", chosen), ("once", "1")];
    let again = post(&console, "/act", &form).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.text);
    let started = again.location().split_once("name=").unwrap().1.to_owned();

    // Changes are pushed.
    let started: OperationName = started.parse().unwrap();
    elsewhere.operations.wait(&started, None).await.unwrap();
    let row = format!(" {started}");
    let mut stream = Stream::begin(&console, &[("operation", &row)]).await;
    assert_eq!(stream.event().await.1["interval"], serde_json::Value::Null);
    assert_eq!(stream.rows().await[0]["state"], "SUCCEEDED");
    elsewhere.operations.delete(&started).await.unwrap();
    assert_eq!(stream.rows().await[0]["removed"], true);
    drop(stream);
    elsewhere.stop().await;
}

#[tokio::test]
async fn a_link_opens_the_console_once() {
    let fixture = Fixture::new();
    let (console, link) = fixture.console().one_time_link();
    let closed = get(&console, "/").await;
    assert_eq!(closed.status, StatusCode::UNAUTHORIZED);
    assert!(closed.text.contains("opens by the link"), "{}", closed.text);
    let post_closed = post(&console, "/act", &[]).await;
    assert_eq!(post_closed.status, StatusCode::UNAUTHORIZED);
    let entered = get(&console, &format!("/{link}")).await;
    assert_eq!(
        (entered.status, entered.location()),
        (StatusCode::SEE_OTHER, "./")
    );
    let cookie = entered.headers[SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let request = Request::get("/")
        .header(HOST, "localhost")
        .header(COOKIE, cookie);
    let open = send(&console, request.body(Full::default()).unwrap()).await;
    assert_eq!(open.status, StatusCode::OK);
    let again = get(&console, &format!("/{link}")).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert!(again.text.contains("was used"), "{}", again.text);
}
