//! A store with operations in every state, and a console over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse};
use http::header::{HOST, LOCATION};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use lro_console::Console;
use lro_core::store::{
    Command, ListQuery, MemoryStore, NewOperation, OperationOutcome, OperationStore, Origin,
    Update, WorkerId,
};
use lro_core::{Clock as _, OperationName, ParentName, Reason};
use lro_server::Operations;
use lro_server::access::Authorizer;
use lro_testing::ManualClock;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::pages::MARKUP;
use crate::shared::Shared;

pub(crate) const METHOD: &str = "/exporter.v1.Exporter/Export";
const LEASE: Duration = Duration::from_secs(20);

/// A server's operations, whose clock the test moves.
pub(crate) struct Fixture {
    pub(crate) store: Shared,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) operations: Operations,
    next: AtomicU64,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn guarded(authorizer: impl Authorizer) -> Self {
        Self::with(|builder| builder.authorizer(authorizer))
    }

    pub(crate) fn with(
        set: impl FnOnce(lro_server::OperationsBuilder) -> lro_server::OperationsBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::new());
        let store = MemoryStore::with_clock(clock.clone());
        Self::over(store, clock, 1, set)
    }

    /// A store whose next operation has this number.
    pub(crate) fn over(
        store: impl OperationStore,
        clock: Arc<ManualClock>,
        next: u64,
        set: impl FnOnce(lro_server::OperationsBuilder) -> lro_server::OperationsBuilder,
    ) -> Self {
        let store = Shared::new(store);
        let builder = Operations::builder(store.clone())
            .clock(clock.clone())
            .file_descriptor_set(exporter::pb::FILE_DESCRIPTOR_SET)
            .unwrap();
        Self {
            store,
            clock,
            operations: set(builder).build(),
            next: AtomicU64::new(next),
        }
    }

    pub(crate) fn console(&self) -> Console {
        Console::of_server(&self.operations).unwrap()
    }

    /// An operation to be started. Ids grow with each, as those of UUIDv7 do.
    pub(crate) fn new_operation(&self) -> NewOperation {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let uid = Uuid::from_u128(u128::from(number) << 64 | 0x7000_0000_0000);
        let name = format!(
            "operations/{}",
            Uuid::from_u128(u128::from(number) * 0x9e37_79b9_7f4a)
        );
        let request = ExportRequest {
            tables: vec!["users".into(), "orders".into()],
        };
        let name = name.parse().unwrap();
        let mut new = NewOperation::new(uid, name, METHOD, lro_core::pack(&request));
        new.origin = Origin {
            principal: "alice".into(),
            trace_parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
            ..Origin::default()
        };
        new.labels.insert("team".into(), "data".into());
        new
    }

    pub(crate) async fn start(&self, new: NewOperation) -> OperationName {
        let name = new.name.clone();
        let mut started = self.store.inner.start(vec![new]).await.unwrap();
        started.remove(0).unwrap();
        name
    }

    pub(crate) async fn pending(&self) -> OperationName {
        self.start(self.new_operation()).await
    }

    /// An operation that a worker runs.
    pub(crate) async fn running(&self, done: u32, total: u32) -> OperationName {
        let mut new = self.new_operation();
        new.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(7)), LEASE));
        let name = self.start(new).await;
        self.progress(&name, done, total).await;
        name
    }

    pub(crate) async fn progress(&self, name: &OperationName, tables_done: u32, tables_total: u32) {
        let metadata = ExportMetadata {
            tables_done,
            tables_total,
        };
        let renew = Command::Renew {
            fence: self.fence(name).await,
            lease_duration: LEASE,
            metadata: Some(lro_core::pack(&metadata)),
        };
        self.update(name, renew).await;
    }

    /// An operation whose worker was lost, and whose second attempt runs.
    pub(crate) async fn tried_again(&self) -> OperationName {
        let passes = |seconds| self.clock.advance(Duration::from_secs(seconds));
        let name = self.running(1, 8).await;
        passes(31);
        self.update(&name, Command::Expire).await;
        passes(5);
        let claim = Command::Claim {
            worker: WorkerId::from_uuid(Uuid::from_u128(8)),
            lease_duration: LEASE,
        };
        self.update(&name, claim).await;
        passes(50);
        self.progress(&name, 1, 8).await;
        name
    }

    pub(crate) async fn finish(&self, name: &OperationName, outcome: OperationOutcome) {
        let finish = Command::Finish {
            fence: self.fence(name).await,
            outcome,
            metadata: None,
        };
        self.update(name, finish).await;
    }

    /// The number of the claim that holds it.
    async fn fence(&self, name: &OperationName) -> u64 {
        let record = self.store.inner.get(name).await.unwrap().unwrap();
        record.fence
    }

    pub(crate) async fn update(&self, name: &OperationName, command: Command) {
        let record = self.store.inner.get(name).await.unwrap().unwrap();
        let update = Update::by_uid(name.clone(), record.uid, command);
        let mut updated = self.store.inner.update(vec![update]).await.unwrap();
        updated.remove(0).unwrap();
    }

    pub(crate) fn response() -> OperationOutcome {
        OperationOutcome::Response(lro_core::pack(&ExportResponse {
            tables_exported: 8,
            rows: 9_007_199_254_740_993,
        }))
    }

    pub(crate) fn not_found() -> OperationOutcome {
        let status = Reason::InvalidField.field_status("tables[1]", "there is no table `oders`");
        OperationOutcome::Error(lro_core::pb::rpc::Status {
            code: tonic::Code::NotFound as i32,
            message: "there is no table `oders`; did you mean `orders`?".into(),
            details: prost::Message::decode(status.details())
                .map(|it: lro_core::pb::rpc::Status| it.details)
                .unwrap(),
        })
    }

    /// Does what a script asks for; `None` for what it does not know.
    pub(crate) async fn answer(&self, words: &[&str]) -> Option<String> {
        let parsed = |name: &str| name.parse().unwrap();
        Some(match words {
            ["start"] => {
                self.clock.advance(Duration::from_secs(1));
                self.pending().await.to_string()
            }
            ["start", team] => {
                let mut new = self.new_operation();
                new.labels.insert("team".into(), (*team).into());
                self.start(new).await.to_string()
            }
            ["run"] => {
                self.clock.advance(Duration::from_secs(1));
                self.running(1, 8).await.to_string()
            }
            // A worker takes it again.
            ["claim", name] => {
                let claim = Command::Claim {
                    worker: WorkerId::from_uuid(Uuid::from_u128(8)),
                    lease_duration: LEASE,
                };
                self.update(&parsed(name), claim).await;
                String::new()
            }
            ["progress", name, done] => {
                self.progress(&parsed(name), done.parse().unwrap(), 8).await;
                String::new()
            }
            ["finish", name] => {
                self.finish(&parsed(name), Self::response()).await;
                String::new()
            }
            ["delete", name] => {
                self.update(&parsed(name), Command::delete()).await;
                String::new()
            }
            ["hostile"] => {
                let mut new = self.new_operation();
                new.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(7)), LEASE));
                new.labels.insert(MARKUP.into(), MARKUP.into());
                new.origin.principal = MARKUP.into();
                new.origin.trace_parent = format!("00-{MARKUP}-1-1");
                new.method = format!("/{MARKUP}/{MARKUP}");
                new.request = lro_core::pack(&ExportRequest {
                    tables: vec![MARKUP.into()],
                });
                let name = self.start(new).await;
                let renew = Command::Renew {
                    fence: self.fence(&name).await,
                    lease_duration: LEASE,
                    metadata: Some(lro_core::pack(&ExportRequest {
                        tables: vec![format!("metadata {MARKUP}")],
                    })),
                };
                self.update(&name, renew).await;
                let error = lro_core::pb::rpc::Status {
                    code: tonic::Code::Aborted as i32,
                    message: MARKUP.into(),
                    details: vec![prost_types::Any {
                        type_url: MARKUP.into(),
                        value: MARKUP.into(),
                    }],
                };
                self.finish(&name, OperationOutcome::Error(error)).await;
                name.to_string()
            }
            // The states of all operations, newest first.
            ["states"] => {
                let query = ListQuery::new(ParentName::default(), 100);
                let page = self.store.inner.list(query).await.unwrap();
                let states = page.records.iter().map(|record| {
                    let state = format!("{:?}", record.state).to_uppercase();
                    (record.name.to_string(), state)
                });
                let states: Vec<_> = states.collect();
                serde_json::json!(states).to_string()
            }
            _ => return None,
        })
    }

    /// One operation in each state, the newest last.
    pub(crate) async fn every_state(&self) -> Vec<OperationName> {
        let mut names = Vec::new();
        let passes = |seconds| self.clock.advance(Duration::from_secs(seconds));
        let done = self.running(8, 8).await;
        passes(134);
        self.finish(&done, Self::response()).await;
        names.push(done);
        passes(3_000);
        let failed = self.running(1, 8).await;
        passes(12);
        self.finish(&failed, Self::not_found()).await;
        names.push(failed);
        passes(600);
        let cancelled = self.pending().await;
        self.update(&cancelled, Command::cancel()).await;
        names.push(cancelled);
        let cancelling = self.running(3, 8).await;
        passes(40);
        self.update(&cancelling, Command::cancel()).await;
        names.push(cancelling);
        passes(20);
        let running = self.running(5, 8).await;
        names.push(running.clone());
        passes(98);
        names.push(self.pending().await);
        let mut scheduled = self.new_operation();
        scheduled.ready_time = Some(self.clock.now().saturating_add(Duration::from_secs(5_400)));
        names.push(self.start(scheduled).await);
        passes(9);
        // Their worker is alive.
        self.progress(&running, 5, 8).await;
        self.progress(&names[3], 3, 8).await;
        names
    }
}

/// An answer, read whole.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    async fn read<B>(response: Response<B>) -> Self
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Debug,
    {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub(crate) fn location(&self) -> &str {
        self.headers[LOCATION].to_str().unwrap()
    }
}

pub(crate) async fn send(console: &Console, request: Request<Full<Bytes>>) -> Page {
    Page::read(console.clone().oneshot(request).await.unwrap()).await
}

pub(crate) async fn get(console: &Console, path: &str) -> Page {
    let request = Request::get(path).header(HOST, "localhost");
    send(console, request.body(Full::default()).unwrap()).await
}

/// A form as a page of the console sends it.
pub(crate) async fn post(console: &Console, path: &str, form: &[(&str, &str)]) -> Page {
    let request = Request::post(path)
        .header(HOST, "localhost")
        .header("sec-fetch-site", "same-origin");
    send(console, request.body(body_of(form)).unwrap()).await
}

pub(crate) fn body_of(form: &[(&str, &str)]) -> Full<Bytes> {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let pairs = form.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    Full::from(pairs.join("&"))
}
