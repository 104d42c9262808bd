//! Consoles on ports: over stores in every condition, and one over TLS on the port of gRPC.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use exporter::pb::exporter_server::ExporterServer;
use lro_console::Console;
use lro_core::store::{Command, OperationOutcome};
use lro_core::{Clock as _, OperationName};
use lro_server::access::{
    Access, Authorizer, Call, Caller, InspectionCall, InspectionPermission, Principal,
};
use lro_server::serve::{Server, Tls};
use prost_types::Any;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;

use crate::fixture::Fixture;
use crate::resubmit::Tables;
use crate::sign_in::Tokens;

/// A console on a port.
pub(crate) struct Site {
    address: SocketAddr,
    pub(crate) url: String,
    served: JoinHandle<io::Result<()>>,
}

impl Site {
    pub(crate) async fn open(console: Console) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self {
            address,
            url: format!("http://{address}/"),
            served: tokio::spawn(console.serve(listener, std::future::pending())),
        }
    }

    /// Closes the port and cuts all connections.
    pub(crate) async fn kill(&mut self) {
        self.served.abort();
        let aborted = (&mut self.served).await;
        assert!(aborted.unwrap_err().is_cancelled());
    }

    pub(crate) async fn revive(&mut self, console: Console) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.served = tokio::spawn(console.serve(listener, std::future::pending()));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// Knows everyone, and lets them look.
#[derive(Debug)]
struct OnlyLook;

#[tonic::async_trait]
impl Authorizer for OnlyLook {
    async fn authenticate(&self, _caller: &Caller<'_>) -> Result<Principal, Status> {
        Ok(Principal::new("carol"))
    }

    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
        let looks =
            !call.permission().ends_with(".delete") && !call.permission().ends_with(".cancel");
        Ok(Access::allowed_if(looks))
    }

    async fn authorize_inspection(&self, call: &InspectionCall<'_>) -> Result<Access, Status> {
        let permission = call.permission();
        Ok(Access::allowed_if(
            permission == InspectionPermission::Inspect,
        ))
    }
}

/// Consoles in every condition, each with the names of its operations.
pub(crate) struct Sites {
    sites: Vec<(&'static str, Site, Vec<OperationName>)>,
    /// The one whose operations change while a page is open, and whose store goes away.
    changing: Fixture,
}

impl Sites {
    pub(crate) async fn open() -> Self {
        let mut sites = Vec::new();
        let fixture = Fixture::new();
        let mut names = fixture.every_state().await;
        names.push(fixture.tried_again().await);
        // Meanwhile the workers of the others renewed their leases.
        fixture.progress(&names[3], 3, 8).await;
        fixture.progress(&names[4], 5, 8).await;
        let console = fixture.console().title("exporter-test");
        let read_only = console.clone().read_only(true);
        sites.push(("main", Site::open(console).await, names.clone()));
        sites.push(("read-only", Site::open(read_only).await, names));

        let (fixture, names) = odd().await;
        let console = fixture.console().title("exporter-test");
        sites.push(("odd", Site::open(console).await, names));

        let empty = Fixture::new().console().title("exporter-test");
        sites.push(("empty", Site::open(empty).await, Vec::new()));
        let guarded = Fixture::guarded(Tokens).console().sign_in();
        let guarded = guarded.title("exporter-test");
        sites.push(("signed-out", Site::open(guarded).await, Vec::new()));

        let fixture = Fixture::guarded(OnlyLook);
        let names = fixture.every_state().await;
        let console = fixture.console().title("exporter-test");
        sites.push(("forbidden", Site::open(console).await, names));

        let fixture = Fixture::new();
        let mut names = Vec::new();
        for _ in 0..400 {
            names.push(fixture.running(3, 8).await);
        }
        let console = fixture.console().title("exporter-test");
        sites.push(("crowd", Site::open(console).await, names));

        let fixture = Fixture::new();
        let names = rare(&fixture).await;
        let console = fixture.console().title("exporter-test");
        sites.push(("long", Site::open(console).await, names));

        let changing = Fixture::new();
        let names = changing.every_state().await;
        let console = changing.console().title("exporter-test");
        sites.push(("changing", Site::open(console).await, names));
        #[cfg(feature = "remote")]
        sites.push(crate::remote::bare_site().await);
        Self { sites, changing }
    }

    pub(crate) fn main(&self) -> &str {
        &self.sites[0].1.url
    }

    /// Does what a script asks for.
    pub(crate) async fn answer(&self, words: &[&str]) -> Option<String> {
        Some(match words {
            ["names"] => self.to_json(),
            // Its database cannot be reached, and can be again.
            ["away"] | ["back"] => {
                self.changing.store.set_away(words == ["away"]);
                String::new()
            }
            words => self.changing.answer(words).await?,
        })
    }

    fn to_json(&self) -> String {
        let sites = self.sites.iter().map(|(what, site, names)| {
            let names: Vec<&str> = names.iter().map(OperationName::as_str).collect();
            let site = serde_json::json!({ "url": site.url, "names": names });
            ((*what).to_owned(), site)
        });
        let sites: serde_json::Map<_, _> = sites.collect();
        let main = sites["main"]["names"].clone();
        serde_json::json!({ "main": main, "sites": sites }).to_string()
    }
}

/// Operations of which something is odd: bytes of an unknown type, a long payload, a slow body, recorded
/// steps that its code does not fit, and one that expires soon.
async fn odd() -> (Fixture, Vec<OperationName>) {
    let fixture = Fixture::new();
    let passes = |seconds| fixture.clock.advance(Duration::from_secs(seconds));
    let mut names = Vec::new();
    let expiring = fixture.running(8, 8).await;
    fixture.finish(&expiring, Fixture::response()).await;
    passes(30 * 86_400 - 3_600);
    names.push(expiring);
    for _ in 0..20 {
        let usual = fixture.running(1, 8).await;
        passes(60);
        fixture.finish(&usual, Fixture::response()).await;
    }
    let slow = fixture.running(7, 8).await;
    passes(400);
    names.push(slow);

    let unknown = fixture.running(8, 8).await;
    let payload = Any {
        type_url: "type.googleapis.com/acme.v1.Unknown".into(),
        value: vec![8, 42, 18, 3, 97, 98, 99],
    };
    fixture
        .finish(&unknown, OperationOutcome::Response(payload))
        .await;
    names.push(unknown);

    let mut long = fixture.new_operation();
    let tables = (0..20_000).map(|number| format!("table_{number:05}"));
    long.request = lro_core::pack(&exporter::pb::ExportRequest {
        tables: tables.collect(),
    });
    names.push(fixture.start(long).await);

    let blocked = fixture.running(2, 8).await;
    passes(20);
    let block = Command::Block {
        fence: 1,
        message: "the body asks for the step `validate` where `export/3` is recorded".into(),
        delay: Duration::from_secs(600),
        ready_by: None,
        metadata: None,
    };
    fixture.update(&blocked, block).await;
    names.push(blocked);
    passes(30);

    let waiting = fixture.running(2, 8).await;
    fixture.suspend(&waiting).await;
    passes(15);
    names.push(waiting);

    let lost = fixture.running(6, 8).await;
    passes(45);
    names.push(lost);
    fixture.progress(&names[1], 7, 8).await;
    let hostile = fixture.answer(&["hostile"]).await.unwrap();
    names.push(hostile.parse().unwrap());
    (fixture, names)
}

/// More operations than a list examines for one page, of which few match a filter.
async fn rare(fixture: &Fixture) -> Vec<OperationName> {
    let mut names = Vec::new();
    for number in 0..2_100 {
        let mut new = fixture.new_operation();
        if number % 700 == 650 {
            new.labels.insert("team".into(), "rare".into());
        }
        names.push(fixture.start(new).await);
    }
    names
}

/// A console on the port of gRPC, over TLS, where visitors sign in.
pub(crate) struct Secure {
    pub(crate) url: String,
    fixture: Fixture,
    names: Vec<OperationName>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

pub(crate) async fn secure() -> Secure {
    let fixture = Fixture::guarded(Tokens);
    let names = fixture.every_state().await;
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls::from_pem(certified.cert.pem(), certified.signing_key.serialize_pem());
    let console = fixture.console().title("exporter-test").sign_in();
    let service = Arc::new(Tables::new(&fixture.operations));
    let server = Server::builder(&fixture.operations)
        .add_service(ExporterServer::from_arc(service))
        .http(|_| Ok::<_, io::Error>(console))
        .tls(tls);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let served = tokio::spawn(async move { server.serve(listener, shutdown).await.unwrap() });
    Secure {
        url: format!("https://localhost:{port}/"),
        fixture,
        names,
        stop,
        served,
    }
}

impl Secure {
    pub(crate) async fn answer(&self, words: &[&str]) -> Option<String> {
        Some(match words {
            ["names"] => {
                let names: Vec<&str> = self.names.iter().map(OperationName::as_str).collect();
                serde_json::json!({ "main": names }).to_string()
            }
            // A token that is good for a minute.
            ["token"] => {
                let expires = self.fixture.clock.now().as_micros() / 1_000_000 + 60;
                let claims = format!("{{\"exp\":{expires}}}");
                let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
                format!("e30.{claims}.ada")
            }
            ["pass", seconds] => {
                let seconds = seconds.parse().unwrap();
                self.fixture.clock.advance(Duration::from_secs(seconds));
                String::new()
            }
            words => self.fixture.answer(words).await?,
        })
    }

    pub(crate) async fn close(self) {
        drop(self.fixture);
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}
