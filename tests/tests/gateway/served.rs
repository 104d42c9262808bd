//! The gateway on the port of a server of operations.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use exporter::pb::exporter_server::ExporterServer;
use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_core::store::MemoryStore;
use lro_gateway::{Gateway, GatewayBuilder, HttpRule};
use lro_server::serve::{Error, HostedServices, ServeLimits, Server};
use lro_server::{
    OperationContext, Operations, OperationsBuilder, ServiceSettings, Worker, long_running,
};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status};

use crate::wire::{self, Received, Sent};

/// A service whose exports end at once, never (`endless`), or after three steps of a test (`steps`).
struct Exporter {
    operations: Operations,
    steps: Arc<Semaphore>,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running(response = ExportResponse, metadata = ExportMetadata, promise("approved" = bool))]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        let tables_total = request.tables.len() as u32;
        operation.set_metadata(ExportMetadata {
            tables_done: 0,
            tables_total,
        });
        match request.tables.first().map(String::as_str) {
            Some("endless") => std::future::pending().await,
            Some("approval") => {
                let dump = async || Ok::<u32, Status>(7);
                operation.step("dump", dump).await?;
                operation.promise::<bool>("approved").await?;
            }
            Some("steps") => {
                for tables_done in 1..=3 {
                    self.step().await;
                    operation.set_metadata(ExportMetadata {
                        tables_done,
                        tables_total,
                    });
                }
                self.step().await;
            }
            _ => {}
        }
        Ok(ExportResponse {
            tables_exported: tables_total,
            rows: 7,
        })
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(Table { name, rows: 7 }))
    }
}

impl Exporter {
    async fn step(&self) {
        if let Ok(step) = self.steps.acquire().await {
            step.forget();
        }
    }
}

/// The gateway of these services, with the exporter's rpcs bound.
pub(crate) fn gateway(services: &HostedServices) -> GatewayBuilder {
    let max_body = services.limits().max_decode_len;
    Gateway::builder(services.clone())
        .file_descriptor_sets(services.descriptor_sets())
        .max_body(max_body)
        .rule(
            "exporter.v1.Exporter/Export",
            HttpRule::new("POST", "/v1/exports").body("*"),
        )
        .rule(
            "exporter.v1.Exporter/GetTable",
            HttpRule::new("GET", "/v1/tables/{name}"),
        )
        .operations("/v1")
}

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) operations: Operations,
    /// Lets an export of `steps` take its next step.
    pub(crate) steps: Arc<Semaphore>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), Error>>,
}

impl Served {
    pub(crate) async fn start(
        settings: impl FnOnce(OperationsBuilder) -> OperationsBuilder,
        gateway: impl FnOnce(&HostedServices) -> GatewayBuilder + Send + 'static,
    ) -> Self {
        Self::start_with(ServeLimits::default(), settings, gateway).await
    }

    pub(crate) async fn start_with(
        limits: ServeLimits,
        settings: impl FnOnce(OperationsBuilder) -> OperationsBuilder,
        gateway: impl FnOnce(&HostedServices) -> GatewayBuilder + Send + 'static,
    ) -> Self {
        let builder = Operations::builder(MemoryStore::new());
        let builder = builder.file_descriptor_set(pb::FILE_DESCRIPTOR_SET);
        let operations = settings(builder.unwrap()).build();
        let steps = Arc::new(Semaphore::new(0));
        let exporter = Arc::new(Exporter {
            operations: operations.clone(),
            steps: steps.clone(),
        });
        let worker = Worker::builder(&operations)
            .host(exporter.clone())
            .suspend_after(Duration::ZERO)
            .metadata_interval(Duration::ZERO);
        let server = Server::builder(&operations)
            .add_service(ExporterServer::from_arc(exporter))
            .add_service(operations.inspection())
            .add_service(operations.steps_server())
            .worker(worker.start().await.unwrap())
            .limits(limits.shutdown_timeout(Duration::from_secs(1)))
            .http(|services| gateway(services).build());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(listener, async {
            stopped.await.ok();
        }));
        Self {
            address,
            operations,
            steps,
            stop,
            serving,
        }
    }

    /// Sends a request over a connection of its own.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> Received {
        self.send_with(method, path, body, &[]).await
    }

    pub(crate) async fn send_with(
        &self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Received {
        let mut all = Vec::new();
        if !body.is_empty() {
            all.push(("content-type".to_owned(), b"application/json".to_vec()));
        }
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        all.extend(headers.iter().map(owned));
        let sent = Sent {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: all,
            body: body.as_bytes().to_vec(),
        };
        wire::send(self.address, &sent).await.unwrap()
    }

    /// Starts an export, and answers the name of its operation.
    pub(crate) async fn export(&self, table: &str) -> String {
        let body = format!(r#"{{"tables":["{table}"]}}"#);
        let started = self.send("POST", "/v1/exports", &body).await;
        assert_eq!(started.status, 200, "{}", started.text());
        let name = started.json()["name"].as_str().map(str::to_owned);
        name.expect("an operation has a name")
    }

    /// Begins the graceful shutdown; the task ends with it.
    pub(crate) fn begin_stop(self) -> JoinHandle<Result<(), Error>> {
        self.stop.send(()).unwrap();
        self.serving
    }

    pub(crate) async fn stop(self) {
        self.begin_stop().await.unwrap().unwrap();
    }
}

impl Received {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// spec:140 spec:142 spec:145 spec:147 spec:148
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rest_and_grpc_see_the_same_operations() {
    let served = Served::start(|builder| builder, gateway).await;
    let table = served.send("GET", "/v1/tables/t", "").await;
    assert_eq!(table.text(), r#"{"name":"t","rows":"7"}"#);
    let name = served.export("endless").await;
    let path = format!("/v1/{name}");
    let parsed = name.parse().unwrap();
    let mut got = served.send("GET", &path, "").await.json();
    // The body sets it when it begins.
    while got["metadata"].is_null() {
        let briefly = Some(Duration::from_millis(50));
        served.operations.wait(&parsed, briefly).await.unwrap();
        got = served.send("GET", &path, "").await.json();
    }
    assert_eq!(got["name"], name);
    assert_eq!(got.get("done"), None);
    let type_name = got["metadata"]["@type"].as_str();
    assert_eq!(
        type_name,
        Some("type.googleapis.com/exporter.v1.ExportMetadata")
    );
    let cancelled = served.send("POST", &format!("{path}:cancel"), "").await;
    assert_eq!((cancelled.status, &*cancelled.text()), (200, "{}"));
    let waited = served
        .send("POST", &format!("{path}:wait"), "")
        .await
        .json();
    assert_eq!(waited["done"], true);
    assert_eq!(waited["error"]["code"], 1);
    assert!(served.operations.get(&parsed).await.unwrap().done);
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", served.address));
    let channel = channel.unwrap().connect().await.unwrap();
    let mut client = lro_core::pb::operations_client::OperationsClient::new(channel);
    let request = lro_core::pb::GetOperationRequest { name: name.clone() };
    assert!(
        client
            .get_operation(request)
            .await
            .unwrap()
            .into_inner()
            .done
    );
    let listed = served.send("GET", "/v1/operations", "").await.json();
    assert_eq!(listed["operations"][0]["name"], name);
    let deleted = served.send("DELETE", &path, "").await;
    assert_eq!((deleted.status, &*deleted.text()), (200, "{}"));
    let missing = served.send("GET", &path, "").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["error"]["status"], "NOT_FOUND");
    drop(client);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_path_stands_before_every_path() {
    let served = Served::start(
        |builder| builder,
        |services| gateway(services).base_path("/api"),
    )
    .await;
    let below = served.send("GET", "/api/v1/tables/t", "").await;
    assert_eq!(
        (below.status, &*below.text()),
        (200, r#"{"name":"t","rows":"7"}"#)
    );
    for path in [
        "/v1/tables/t",
        "/apis/v1/tables/t",
        "/api",
        "/api/api/v1/tables/t",
    ] {
        assert_eq!(served.send("GET", path, "").await.status, 404, "{path}");
    }
    assert_eq!(served.send("GET", "/healthz", "").await.status, 200);
    served.stop().await;
}

/// gateway:11 gateway:32
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_bound_for_the_parents_of_their_services() {
    let bound = |services: &HostedServices| {
        Gateway::builder(services.clone())
            .operations_of("/v1", services.operation_parents())
            .operations_of("/v2beta", &["projects/*".parse().unwrap()])
    };
    let exporter = ServiceSettings::new("exporter.v1.Exporter")
        .parent("users/*".parse().unwrap())
        .parent("projects/*/locations/*".parse().unwrap())
        .parent("".parse().unwrap());
    let served = Served::start(|builder| builder.bind(exporter), bound).await;
    // NOT_FOUND of the rpc names the operation, and that of the gateway the path.
    for (path, reaches) in [
        ("/v1/operations/7", true),
        ("/v1/users/u/operations/7", true),
        ("/v1/projects/p/locations/l/operations/7", true),
        ("/v1/projects/p/operations/7", false),
        ("/v1/other/o/operations/7", false),
        ("/v2beta/projects/p/operations/7", true),
        ("/v2beta/users/u/operations/7", false),
        ("/v3/operations/7", false),
    ] {
        let answer = served.send("GET", path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        let message = answer.json()["error"]["message"].to_string();
        assert_eq!(
            !message.contains("no method is bound"),
            reaches,
            "{path}: {message}"
        );
    }
    for (path, status) in [
        ("/v1/operations", 200),
        ("/v1/users/u/operations", 200),
        ("/v1/projects/p/locations/-/operations", 200),
        ("/v1/projects/p/operations", 404),
    ] {
        assert_eq!(served.send("GET", path, "").await.status, status, "{path}");
    }
    served.stop().await;
}

#[test]
fn a_base_path_that_cannot_be_one_stops_the_start() {
    for base_path in ["api", "/api/", "/", "//api"] {
        let gateway = Gateway::builder(tonic::service::Routes::default()).base_path(base_path);
        let error = gateway.build().unwrap_err();
        assert!(error.to_string().contains(base_path), "{error}");
    }
}
