//! Attempts, reasons of waiting, and operations that are started again.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::exporter_server::{self, Exporter as ExporterRpc, ExporterServer};
use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use http::StatusCode;
use lro_console::Console;
use lro_core::OperationName;
use lro_core::store::{Actor, Command, MemoryStore, OperationStore as _};
use lro_server::serve::Server;
use lro_server::{HandlerError, OperationContext, Operations, Worker, long_running};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

use crate::fixture::{Fixture, get, post};

#[tokio::test]
async fn attempts_are_drawn_and_listed() {
    let fixture = Fixture::new();
    let name = fixture.tried_again().await;
    fixture.clock.advance(Duration::from_secs(48));
    let page = get(&fixture.console(), &format!("/operation?name={name}")).await;
    for text in [
        "attempt 1: worker lost 31s, paused 5.0s, attempt 2: running 1m10s, worker lost 28s",
        "data-part=\"run\" data-outcome=\"WORKER_LOST\"",
        "<caption class=\"unseen\">Attempts, the oldest first</caption>",
        "<td class=\"outcome\" data-outcome=\"RUNNING\">running</td>",
        "worker lost <b>59s</b><span class=\"quiet\"> in 2 parts</span>",
    ] {
        assert!(page.text.contains(text), "{text}\n{}", page.text);
    }
    // Without an authorizer each visitor is an operator, who sees workers.
    assert!(page.text.contains("00000000-0000-0000-0000-000000000008"));
}

#[tokio::test]
async fn a_page_says_why_its_operation_waits_and_who_cancelled_it() {
    let fixture = Fixture::new();
    let name = fixture.pending().await;
    let console = fixture.console();
    let path = format!("/operation?name={name}");
    let page = get(&console, &path).await;
    let why = "no worker runs `/exporter.v1.Exporter/Export`: host its service in a Worker";
    assert!(page.text.contains(why), "{}", page.text);
    assert!(page.text.contains("why-resubmit") && page.text.contains("It has not ended."));
    let actor = Actor {
        principal: "bob".into(),
        reason: "wrong bucket".into(),
    };
    fixture.update(&name, Command::Cancel(actor)).await;
    let page = get(&console, &path).await;
    assert!(page.text.contains("bob: wrong bucket"), "{}", page.text);
    // The process serves no rpc, and the button says so.
    let refusal = "this process does not serve `/exporter.v1.Exporter/Export`";
    assert!(page.text.contains(refusal), "{}", page.text);
}

#[tokio::test]
async fn the_reason_of_a_visitor_is_recorded() {
    let fixture = Fixture::new();
    let name = fixture.pending().await;
    let record = fixture.store.get(&name).await.unwrap().unwrap();
    let chosen = format!("{} {name}", record.uid);
    let form = [
        ("action", "cancel"),
        ("operation", &*chosen),
        ("reason", " zu groß: 100 % "),
    ];
    let page = post(&fixture.console(), "/confirm", &form).await;
    assert!(page.text.contains("name=\"reason\""), "{}", page.text);
    let acted = post(&fixture.console(), "/act", &form).await;
    assert_eq!(acted.status, StatusCode::SEE_OTHER, "{}", acted.text);
    let record = fixture.store.get(&name).await.unwrap().unwrap();
    assert_eq!(
        record.history.cancelled_by.unwrap().reason,
        "zu groß: 100 %"
    );
}

/// Exports each table at once.
pub(crate) struct Tables {
    operations: Operations,
}

impl Tables {
    pub(crate) fn new(operations: &Operations) -> Self {
        let operations = operations.clone();
        Self { operations }
    }
}

#[long_running]
impl exporter_server::Exporter for Tables {
    #[long_running(response = ExportResponse, metadata = ExportMetadata)]
    async fn export(
        &self,
        request: ExportRequest,
        _operation: OperationContext<ExportMetadata>,
    ) -> Result<ExportResponse, HandlerError> {
        Ok(ExportResponse {
            tables_exported: request.tables.len() as u32,
            rows: 1,
        })
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let name = request.into_inner().name;
        Ok(Response::new(Table { name, rows: 0 }))
    }
}

/// console:3
#[tokio::test]
async fn an_ended_operation_is_started_again_once_for_each_form() {
    let operations = Operations::new(MemoryStore::new());
    let service = Arc::new(Tables::new(&operations));
    let worker = Worker::builder(&operations).host(service.clone());
    let worker = worker.start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server =
        Server::builder(&operations).add_service(ExporterServer::from_arc(service.clone()));
    let shutdown = async { drop(stopped.await) };
    let served = tokio::spawn(async move { server.serve(listener, shutdown).await });

    let tables = vec!["users".to_owned(), "orders".to_owned()];
    let request = Request::new(ExportRequest { tables });
    let started = ExporterRpc::export(&*service, request).await;
    let name: OperationName = started.unwrap().into_inner().name().parse().unwrap();
    operations.wait(&name, None).await.unwrap();
    let console = Console::of_server(&operations).unwrap();
    // The server registers its services when it begins to serve.
    let page = loop {
        let page = get(&console, &format!("/operation?name={name}")).await;
        if !page.text.contains("why-resubmit") {
            break page;
        }
        tokio::task::yield_now().await;
    };
    let chosen = page.text.split("name=\"operation\" value=\"").nth(1);
    let chosen = chosen.unwrap().split('"').next().unwrap();
    let form = [
        ("action", "resubmit"),
        ("operation", chosen),
        ("once", "3f0c"),
    ];
    let asked = post(&console, "/confirm", &form).await;
    for text in [
        "Resubmit 1 operation?",
        "started again as a new operation with the same request",
        "name=\"once\"",
    ] {
        assert!(asked.text.contains(text), "{text}: {}", asked.text);
    }
    let first = post(&console, "/act", &form).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text);
    let again = post(&console, "/act", &form).await;
    assert_eq!(
        first.location(),
        again.location(),
        "one form, one operation"
    );
    let page = get(&console, &first.location().replacen('.', "", 1)).await;
    assert!(page.text.contains("resubmitted-from"), "{}", page.text);
    let other = post(&console, "/act", &[&form[..2], &[("once", "9a")]].concat()).await;
    assert_ne!(first.location(), other.location());

    let read_only = console.read_only(true);
    let refused = post(&read_only, "/act", &form).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
    worker.drain().await;
}
