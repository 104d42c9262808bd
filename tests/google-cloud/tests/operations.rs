//! google-cloud-longrunning and google-cloud-lro, unchanged, against the gateway on the port of a server.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::exporter_client::ExporterClient;
use exporter::pb::exporter_server::ExporterServer;
use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse};
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::paginator::ItemPaginator as _;
use google_cloud_gax::polling_error_policy::Aip194Strict;
use google_cloud_longrunning::client::Operations as Client;
use google_cloud_longrunning::model;
use google_cloud_lro::{Poller, PollingResult, internal};
use google_cloud_wkt::message::Message;
use lro_gateway::Gateway;
use lro_server::lro_core::store::MemoryStore;
use lro_server::serve::Server;
use lro_server::{OperationContext, Operations, Worker, long_running};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// A service whose exports end at once, fail, or run until they are cancelled, by the name of a table.
struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running]
    async fn export(
        &self,
        request: ExportRequest,
        operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, Status> {
        operation.set_metadata(ExportMetadata {
            tables_done: 0,
            tables_total: 1,
        });
        match request.tables.first().map(String::as_str) {
            Some("endless") => std::future::pending().await,
            Some("missing") => Err(Status::failed_precondition("no table `missing`")),
            _ => Ok(ExportResponse {
                tables_exported: 1,
                rows: 9_007_199_254_740_993,
            }),
        }
    }

    async fn get_table(
        &self,
        _: Request<pb::GetTableRequest>,
    ) -> Result<Response<pb::Table>, Status> {
        Err(Status::unimplemented("no tables"))
    }
}

/// The messages as the client's generator would write them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Exported {
    tables_exported: u32,
    rows: String,
}

impl Message for Exported {
    fn typename() -> &'static str {
        "type.googleapis.com/exporter.v1.ExportResponse"
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Progress {
    tables_done: u32,
    tables_total: u32,
}

impl Message for Progress {
    fn typename() -> &'static str {
        "type.googleapis.com/exporter.v1.ExportMetadata"
    }
}

/// The poller of an operation that is there already, as generated clients make theirs.
fn poller(client: &Client, name: &str) -> impl Poller<Exported, Progress> + use<> {
    let get = |client: &Client, name: String| {
        let get = client.get_operation().set_name(name);
        async move {
            get.send()
                .await
                .map(internal::Operation::<Exported, Progress>::new)
        }
    };
    let (first, name, client) = (client.clone(), name.to_owned(), client.clone());
    let backoff = ExponentialBackoffBuilder::new()
        .with_initial_delay(Duration::from_millis(10))
        .with_maximum_delay(Duration::from_millis(100))
        .build();
    internal::new_poller(
        Arc::new(Aip194Strict),
        Arc::new(backoff.unwrap()),
        move || get(&first, name),
        move |name| get(&client, name),
    )
}

async fn start(exporter: &Arc<Exporter>, table: &str) -> String {
    let request = ExportRequest {
        tables: vec![table.to_owned()],
    };
    // In this process: only operations are called over HTTP here.
    let mut client = ExporterClient::new(ExporterServer::from_arc(exporter.clone()));
    let started = client.export(request).await.unwrap();
    started.into_inner().name().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn googles_clients_for_rust_poll_list_cancel_and_delete() {
    // The client makes a TLS configuration even for plain HTTP.
    rustls::crypto::ring::default_provider()
        .install_default()
        .unwrap();
    let operations = Operations::builder(MemoryStore::new())
        .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
        .unwrap()
        .build();
    let exporter = Arc::new(Exporter {
        operations: operations.clone(),
    });
    let worker = Worker::builder(&operations).host(exporter.clone());
    let server = Server::builder(&operations)
        .add_service(ExporterServer::from_arc(exporter.clone()))
        .worker(worker.start().await.unwrap())
        .http(|services| {
            Gateway::builder(services.clone())
                .file_descriptor_sets(services.descriptor_sets())
                .build()
        });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(listener, async {
        stopped.await.ok();
    }));
    let client = Client::builder()
        .with_endpoint(&url)
        .with_credentials(anonymous::Builder::new().build())
        .build()
        .await
        .unwrap();

    let name = start(&exporter, "users").await;
    let exported = poller(&client, &name).until_done().await.unwrap();
    assert_eq!(exported.tables_exported, 1);
    assert_eq!(exported.rows, "9007199254740993");

    let endless = start(&exporter, "endless").await;
    let mut running = poller(&client, &endless);
    match running.poll().await {
        Some(PollingResult::InProgress(_)) => {}
        other => panic!("{other:?}"),
    }
    client
        .cancel_operation()
        .set_name(&endless)
        .send()
        .await
        .unwrap();
    let error = running.until_done().await.unwrap_err();
    assert_eq!(error.status().unwrap().code, Code::Cancelled, "{error}");

    let missing = start(&exporter, "missing").await;
    let error = poller(&client, &missing).until_done().await.unwrap_err();
    let status = error.status().unwrap();
    assert_eq!(status.code, Code::FailedPrecondition, "{error}");
    assert!(status.message.contains("no table `missing`"), "{status:?}");

    let mut listed = Vec::new();
    let mut items = client
        .list_operations()
        .set_name("operations")
        .set_filter("done = true")
        .set_page_size(1)
        .by_item();
    while let Some(operation) = items.next().await {
        let operation: model::Operation = operation.unwrap();
        assert!(operation.done, "{operation:?}");
        listed.push(operation.name);
    }
    listed.sort();
    let mut expected = vec![name.clone(), endless, missing];
    expected.sort();
    assert_eq!(listed, expected);

    client
        .delete_operation()
        .set_name(&name)
        .send()
        .await
        .unwrap();
    let error = client
        .get_operation()
        .set_name(&name)
        .send()
        .await
        .unwrap_err();
    let status = error.status().unwrap();
    assert_eq!(status.code, Code::NotFound, "{error}");
    assert!(status.message.contains(&name), "{status:?}");
    assert!(!status.details.is_empty(), "{status:?}");

    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}
