//! Metrics and traces, as OpenTelemetry's SDK collects them.

mod steps;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use exporter::pb;
use lro_core::store::{MemoryStore, NewOperation, OperationStore as _, WorkerId};
use lro_core::{ListOptions, OperationName, ParentPattern};
use lro_server::{HandlerError, Operations, Worker};
use lro_sqlite::SqliteStore;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use prost_types::Any;
use tokio::sync::mpsc;
use tonic::{Request, Status};
use tracing_subscriber::layer::SubscriberExt as _;
use uuid::Uuid;

use crate::support;
use crate::support::faulty::{Node, TokioClock};
use crate::support::{Exporter, exported, name, wait};

const METHOD: &str = "exporter.v1.Exporter/Export";

/// The metrics of operations.
pub(crate) struct Collected {
    exporter: InMemoryMetricExporter,
    provider: SdkMeterProvider,
}

impl Collected {
    pub(crate) fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        Self { exporter, provider }
    }

    pub(crate) fn operations(&self, store: impl lro_core::store::OperationStore) -> Operations {
        let meter = self.provider.meter("test");
        Operations::builder(store).meter(&meter).build()
    }

    /// Counts, sums and counts of histograms, by name and attributes.
    fn read(&self) -> BTreeMap<String, i64> {
        self.provider.force_flush().unwrap();
        let mut seen = BTreeMap::new();
        let all = self.exporter.get_finished_metrics().unwrap();
        let scopes = all.last().unwrap().scope_metrics();
        for metric in scopes.flat_map(ScopeMetrics::metrics) {
            let mut insert = |attributes: Vec<String>, value: i64| {
                let mut attributes = attributes;
                attributes.sort();
                seen.insert(format!("{} {}", metric.name(), attributes.join(" ")), value);
            };
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                    for point in sum.data_points() {
                        let values = point.attributes().map(|it| it.value.to_string());
                        insert(values.collect(), point.value() as i64);
                    }
                }
                AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
                    for point in gauge.data_points() {
                        insert(Vec::new(), point.value() as i64);
                    }
                }
                AggregatedMetrics::I64(MetricData::Sum(sum)) => {
                    for point in sum.data_points() {
                        let values = point.attributes().map(|it| it.value.to_string());
                        insert(values.collect(), point.value());
                    }
                }
                AggregatedMetrics::U64(MetricData::Histogram(histogram)) => {
                    for point in histogram.data_points() {
                        let values = point.attributes().map(|it| it.value.to_string());
                        insert(values.collect(), point.count() as i64);
                    }
                }
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    for point in histogram.data_points() {
                        let values = point.attributes().map(|it| it.value.to_string());
                        insert(values.collect(), point.count() as i64);
                    }
                }
                other => panic!("{}: {other:?}", metric.name()),
            }
        }
        seen
    }

    pub(crate) fn check(&self, expected: &[(&str, i64)]) {
        let seen = self.read();
        for (what, value) in expected {
            let what = what.replace("METHOD", METHOD);
            assert_eq!(seen.get(&what), Some(value), "{what}: {seen:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn operations_are_counted_from_their_start_to_their_end() {
    let collected = Collected::new();
    let operations = collected.operations(MemoryStore::new());
    let (running, mut runs) = mpsc::unbounded_channel();
    let body = move |request: pb::ExportRequest, operation: support::Context| {
        let running = running.clone();
        async move {
            running.send(()).ok();
            match (&*request.tables[0], operation.attempt()) {
                ("fails", _) => Err(Status::not_found("no such table").into()),
                ("again", 1) => {
                    let busy = HandlerError::retry(Status::unavailable("busy"));
                    Err(busy.after(Duration::ZERO))
                }
                ("hangs", _) => pending().await,
                _ => Ok(exported(1)),
            }
        }
    };
    let exporter = Exporter::new(&operations, body);
    // Cancelled before there is anybody to run it.
    let pending = exporter.call(&["pending"]).await.unwrap();
    operations.cancel(&name(&pending)).await.unwrap();
    let worker = Worker::builder(&operations).host(exporter.clone());
    let worker = worker.start().await.unwrap();
    for table in ["works", "works", "fails", "again"] {
        let started = exporter.call(&[table]).await.unwrap();
        wait(&operations, &started).await;
    }
    for _ in 0..5 {
        runs.recv().await.unwrap();
    }
    let hangs = exporter.call(&["hangs"]).await.unwrap();
    runs.recv().await.unwrap();
    // The same request id: the same operation, which was started once.
    for _ in 0..2 {
        let same = exporter.call(&["works", "request_id=1"]).await.unwrap();
        wait(&operations, &same).await;
    }
    let missing = "operations/missing".parse().unwrap();
    operations.get(&missing).await.unwrap_err();
    collected.check(&[("lro.operations.started METHOD", 7)]);
    operations.cancel(&name(&hangs)).await.unwrap();
    wait(&operations, &hangs).await;
    worker.drain().await;
    collected.check(&[
        ("lro.operations.started METHOD", 7),
        ("lro.operations.finished OK METHOD", 4),
        ("lro.operations.finished NOT_FOUND METHOD", 1),
        ("lro.operations.finished CANCELLED METHOD", 2),
        ("lro.operations.running METHOD", 0),
        ("lro.operations.queue_time METHOD", 6),
        ("lro.operations.run_time METHOD", 7),
        ("lro.operations.attempts METHOD", 7),
        ("lro.operations.retries METHOD", 1),
        ("lro.store.call.duration ok start", 8),
    ]);
    let seen = collected.read();
    for call in ["claim ok", "get ok", "ok update"] {
        assert!(seen[&format!("lro.store.call.duration {call}")] > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn lost_leases_and_a_store_that_is_away_are_seen() {
    let collected = Collected::new();
    let node = Node::lagging(&Arc::new(MemoryStore::new()), 0);
    let operations = collected.operations(node.clone());
    let (running, mut runs) = mpsc::unbounded_channel();
    let exporter = Exporter::new(&operations, move |_, operation: support::Context| {
        running.send(operation.clone()).ok();
        pending()
    });
    let worker = Worker::builder(&operations).host(exporter.clone());
    let _worker = worker.start().await.unwrap();
    exporter.call(&["a"]).await.unwrap();
    let operation = runs.recv().await.unwrap();
    collected.check(&[("lro.operations.running METHOD", 1)]);
    node.set_down(true);
    while operation.stop_reason().is_none() {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    while collected.read().get(&format!("lro.leases.lost {METHOD}")) != Some(&1) {
        tokio::task::yield_now().await;
    }
    collected.check(&[("lro.operations.running METHOD", 0)]);
    let away = collected.read()["lro.store.call.duration unavailable update"];
    assert!(away > 0, "{away}");
}

/// report:E4
#[tokio::test(start_paused = true)]
async fn a_full_store_is_seen() {
    let collected = Collected::new();
    let node = Node::alone(&Arc::new(MemoryStore::new()));
    let operations = collected.operations(node.clone());
    let missing = "operations/missing".parse().unwrap();
    for (is_full, accepts_starts) in [(false, 1), (true, 0), (false, 1)] {
        node.set_full(is_full);
        operations.get(&missing).await.unwrap_err();
        collected.check(&[("lro.store.accepts_starts ", accepts_starts)]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_by_the_loss_of_another_worker_is_counted() {
    let collected = Collected::new();
    let store = Arc::new(MemoryStore::with_clock(TokioClock::new()));
    let operations = collected.operations(Node::lagging(&store, 0));
    let uid = Uuid::from_u128(1);
    let method = format!("/{METHOD}");
    let mut new = NewOperation::new(uid, "operations/1".parse().unwrap(), method, Any::default());
    new.policy.max_attempts = 1;
    new.claimed_by = Some((
        WorkerId::from_uuid(Uuid::from_u128(7)),
        Duration::from_secs(10),
    ));
    let name = new.name.clone();
    assert!(store.start(vec![new]).await.unwrap()[0].is_ok());
    let worker = Worker::builder(&operations).host(Exporter::new(&operations, |_, _| pending()));
    let _worker = worker.start().await.unwrap();
    let end = operations.wait(&name, None).await.unwrap();
    assert!(end.done);
    collected.check(&[("lro.operations.finished ABORTED METHOD", 1)]);
}

#[tokio::test]
async fn a_body_continues_its_callers_trace() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    let _collecting = tracing::subscriber::set_default(subscriber);

    let (operations, service, worker) = support::start(async |_, operation| {
        operation
            .step("dump", async || Ok::<u32, Status>(7))
            .await?;
        Ok(exported(1))
    })
    .await;
    let mut request = Request::new(pb::ExportRequest {
        tables: vec!["a".to_owned()],
    });
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    request
        .metadata_mut()
        .insert("traceparent", parent.parse().unwrap());
    let started = pb::exporter_server::Exporter::export(&*service, request).await;
    let started = started.unwrap().into_inner();
    wait(&operations, &started).await;
    worker.drain().await;
    provider.force_flush().unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let body = spans.iter().find(|span| span.name == "operation").unwrap();
    assert_eq!(body.span_context.trace_id().to_string(), trace);
    assert_eq!(body.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert!(body.parent_span_is_remote);
}

#[cfg(feature = "serve")]
#[tokio::test]
async fn http_requests_are_measured_by_their_routes() {
    use crate::serve::http::{Http1, server};
    use crate::serve::served::{Plain, Served};

    let collected = Collected::new();
    let operations = collected.operations(MemoryStore::new());
    let served = Served::start(server(&operations, Plain::default())).await;
    let mut http = Http1::connect(&served).await;
    for path in ["/tables/a", "/tables/odd", "/unknown", "/healthz"] {
        http.get(path).await;
    }
    collected.check(&[
        ("http.server.request.duration /tables/{name} 200 GET", 2),
        ("http.server.request.duration 404 GET", 1),
        ("lro.http.unknown_types /tables/{name}", 3),
    ]);
    drop(http);
    served.stop().await;
}

/// report:S5
#[cfg(feature = "serve")]
#[tokio::test]
async fn refused_connections_are_counted_by_their_limit() {
    use crate::serve::raw::closed;
    use crate::serve::served::Served;
    use lro_server::serve::{ServeLimits, Server};

    let collected = Collected::new();
    let operations = collected.operations(MemoryStore::new());
    let limits = ServeLimits::default().max_connections(0);
    let served = Served::start(Server::builder(&operations).limits(limits)).await;
    for _ in 0..3 {
        assert_eq!(closed(&mut served.tcp().await).await, 0);
    }
    collected.check(&[("lro.serve.connections.refused max_connections", 3)]);
    served.stop().await;
}

/// report:P5
#[tokio::test]
async fn corrupt_operations_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("operations.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let request = Any {
        type_url: "type.googleapis.com/test.Request".to_owned(),
        value: vec![7; 100],
    };
    let names = (0..100).map(|number| format!("operations/{number}").parse().unwrap());
    let names: Vec<OperationName> = names.collect();
    let new = names
        .iter()
        .cloned()
        .map(|name| NewOperation::new(Uuid::now_v7(), name, "/s.Service/Method", request.clone()));
    store.start(new.collect()).await.unwrap();
    drop(store);
    let mut file = std::fs::read(&path).unwrap();
    let holds = |page: &[u8]| page.windows(12).any(|window| window == b"test.Request");
    let leaves = file.chunks(4_096).enumerate();
    let leaves = leaves.filter(|(_, page)| matches!(page[0], 0x0a | 0x0d) && holds(page));
    let leaves: Vec<_> = leaves.map(|(number, _)| number).collect();
    // The number of the page's cells.
    file[leaves[leaves.len() / 2] * 4_096 + 3..][..2].fill(0xff);
    std::fs::write(&path, file).unwrap();

    let collected = Collected::new();
    let operations = collected.operations(SqliteStore::open(&path).await.unwrap());
    let mut options = ListOptions::default();
    options.page_size = 100;
    let page = operations.list(ParentPattern::default(), &options).await;
    let listed = page.unwrap().operations.len() as i64;
    let mut failed = 0;
    for name in &names {
        failed += i64::from(operations.get(name).await.is_err());
    }
    assert!((1..100).contains(&failed), "{failed}");
    assert!(listed < 100, "{listed}");
    collected.check(&[("lro.store.corrupt get", failed)]);
    assert!(collected.read()["lro.store.corrupt list"] > 0);
}
