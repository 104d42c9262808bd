use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::pb::rpc::Code;
use lro_core::store::{Command, OperationRecord, OperationResult, OperationState, OperationStore};
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};
use opentelemetry::{InstrumentationScope, KeyValue, global};
use tokio::time::Instant;

use super::observed::Observed;
use super::steps::StepInstruments;

/// The instruments. A cheap clone.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Instruments>);

pub(super) struct Instruments {
    started: Counter<u64>,
    finished: Counter<u64>,
    running: UpDownCounter<i64>,
    queue_time: Histogram<f64>,
    run_time: Histogram<f64>,
    attempts: Counter<u64>,
    retries: Counter<u64>,
    leases_lost: Counter<u64>,
    deleted_running: UpDownCounter<i64>,
    ready: Gauge<u64>,
    ready_age: Gauge<f64>,
    corrupt: Counter<u64>,
    runtime_stalls: Counter<u64>,
    blocking_polls: Counter<u64>,
    connections_refused: Counter<u64>,
    #[cfg(feature = "serve")]
    http_requests: Histogram<f64>,
    #[cfg(feature = "serve")]
    unknown_types: Counter<u64>,
    pub(super) store_calls: Histogram<f64>,
    pub(super) accepts_starts: Gauge<u64>,
    pub(super) steps: StepInstruments,
}

/// The bounds of calls of the store, in seconds: up to where callers give up.
const CALL_BOUNDS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// The bounds of waiting and of bodies, in seconds: from a moment to a day.
pub(super) const LIFE_BOUNDS: [f64; 14] = [
    0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0,
    86_400.0,
];

impl Default for Metrics {
    /// With the meter of the global provider, as it is now.
    fn default() -> Self {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Self::new(&global::meter_with_scope(scope))
    }
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        let counter = |name, unit: &'static str, what: &'static str| {
            let builder = meter.u64_counter(name);
            builder.with_unit(unit).with_description(what).build()
        };
        let seconds = |name, bounds: &[f64], what: &'static str| {
            let builder = meter.f64_histogram(name).with_unit("s");
            let builder = builder.with_boundaries(bounds.to_vec());
            builder.with_description(what).build()
        };
        Self(Arc::new(Instruments {
            started: counter(
                "lro.operations.started",
                "{operation}",
                "Operations that were started.",
            ),
            finished: counter(
                "lro.operations.finished",
                "{operation}",
                "Operations that have ended, by code.",
            ),
            running: meter
                .i64_up_down_counter("lro.operations.running")
                .with_unit("{operation}")
                .with_description("Operations whose bodies run.")
                .build(),
            queue_time: seconds(
                "lro.operations.queue_time",
                &LIFE_BOUNDS,
                "From when an operation could have run to when it did.",
            ),
            run_time: seconds(
                "lro.operations.run_time",
                &LIFE_BOUNDS,
                "How long one run of a body took, to where its end is written.",
            ),
            attempts: counter(
                "lro.operations.attempts",
                "{attempt}",
                "Runs of bodies that began.",
            ),
            retries: counter(
                "lro.operations.retries",
                "{attempt}",
                "Runs of bodies that ended with a wish for another one.",
            ),
            leases_lost: counter(
                "lro.leases.lost",
                "{lease}",
                "Leases that were over before their bodies.",
            ),
            deleted_running: meter
                .i64_up_down_counter("lro.operations.deleted_running")
                .with_unit("{operation}")
                .with_description("Deleted operations whose bodies run on.")
                .build(),
            ready: meter
                .u64_gauge("lro.operations.ready")
                .with_unit("{operation}")
                .with_description("Operations that are ready and that no worker has claimed.")
                .build(),
            ready_age: meter
                .f64_gauge("lro.operations.ready_age")
                .with_unit("s")
                .with_description("How long the oldest of them has been ready.")
                .build(),
            corrupt: counter(
                "lro.store.corrupt",
                "{operation}",
                "Operations that a call left out, or failed for, because their records are corrupt.",
            ),
            runtime_stalls: counter(
                "lro.runtime.stalls",
                "{stall}",
                "Times that a worker's runtime polled no task for too long.",
            ),
            blocking_polls: counter(
                "lro.bodies.blocking_polls",
                "{poll}",
                "Polls of bodies that lasted longer than a heartbeat.",
            ),
            connections_refused: counter(
                "lro.serve.connections.refused",
                "{connection}",
                "Connections that were closed at once because a limit was reached.",
            ),
            #[cfg(feature = "serve")]
            http_requests: seconds(
                "http.server.request.duration",
                &CALL_BOUNDS,
                "How long HTTP requests took, to the head of the response.",
            ),
            #[cfg(feature = "serve")]
            unknown_types: counter(
                "lro.http.unknown_types",
                "{value}",
                "Values that an HTTP answer has as base64, since their types are not known.",
            ),
            store_calls: seconds(
                "lro.store.call.duration",
                &CALL_BOUNDS,
                "How long a call of the store took.",
            ),
            accepts_starts: meter
                .u64_gauge("lro.store.accepts_starts")
                .with_description("1, or 0 while the store is full and refuses starts.")
                .build(),
            steps: StepInstruments::new(meter),
        }))
    }

    /// The same store, with its calls measured.
    pub(crate) fn observe(&self, store: Arc<dyn OperationStore>) -> Arc<dyn OperationStore> {
        Arc::new(Observed::new(store, self.clone()))
    }

    pub(super) fn instruments(&self) -> &Instruments {
        &self.0
    }

    /// An operation that a start has made; it may have ended with it.
    pub(crate) fn started(&self, record: &OperationRecord) {
        self.0.started.add(1, &[method(&record.method)]);
        if record.state.is_done() {
            self.ended(record);
        }
    }

    /// An operation whose end was written by this process, whatever has ended it.
    pub(crate) fn ended(&self, record: &OperationRecord) {
        let attributes = [method(&record.method), status(code_of(record))];
        self.0.finished.add(1, &attributes);
    }

    /// A run continues though its operation was deleted (1), or such a run has finished (-1).
    pub(crate) fn deleted_running(&self, path: &str, change: i64) {
        self.0.deleted_running.add(change, &[method(path)]);
    }

    /// The ready operations of a method, and how long the oldest has been ready.
    pub(crate) fn backlog(&self, path: &str, count: usize, age: Duration) {
        self.0.ready.record(count as u64, &[method(path)]);
        self.0.ready_age.record(age.as_secs_f64(), &[method(path)]);
    }

    /// A call has met operations whose records are corrupt.
    pub(crate) fn corrupt(&self, call: &'static str, count: usize) {
        let call = KeyValue::new("lro.store.call", call);
        self.0.corrupt.add(count as u64, &[call]);
    }

    /// The runtime of a worker has polled no task for too long.
    pub(crate) fn runtime_stalled(&self) {
        self.0.runtime_stalls.add(1, &[]);
    }

    /// A poll of a body of this method has lasted longer than a heartbeat.
    pub(crate) fn blocking_poll(&self, path: &str) {
        self.0.blocking_polls.add(1, &[method(path)]);
    }

    /// A connection was refused because this limit was reached.
    #[cfg(feature = "serve")]
    pub(crate) fn connection_refused(&self, limit: &'static str) {
        let limit = KeyValue::new("lro.serve.limit", limit);
        self.0.connections_refused.add(1, &[limit]);
    }

    /// An HTTP request was answered.
    #[cfg(feature = "serve")]
    pub(crate) fn http_answered(
        &self,
        method: &'static str,
        route: &str,
        status: u16,
        seconds: f64,
    ) {
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.response.status_code", i64::from(status)),
        ];
        if !route.is_empty() {
            attributes.push(KeyValue::new("http.route", route.to_owned()));
        }
        self.0.http_requests.record(seconds, &attributes);
    }

    /// An HTTP answer has values of unknown types.
    #[cfg(feature = "serve")]
    pub(crate) fn unknown_types(&self, route: &str, count: usize) {
        let route = KeyValue::new("http.route", route.to_owned());
        self.0.unknown_types.add(count as u64, &[route]);
    }

    /// A run of this operation begins, claimed at this time, and ends when what this gives is dropped.
    pub(crate) fn run(&self, record: &OperationRecord, claimed: Timestamp) -> RunMetrics {
        let method = [method(&record.method)];
        if let (1, Some(begun)) = (record.fence, record.start_time) {
            let queued = begun
                .as_micros()
                .saturating_sub(record.ready_time.as_micros());
            let queued = queued.max(0) as f64 / 1e6;
            self.0.queue_time.record(queued, &method);
        }
        self.0.steps.resumed(record, claimed, &method);
        self.0.running.add(1, &method);
        self.0.attempts.add(1, &method);
        RunMetrics {
            metrics: self.clone(),
            method,
            begun: Instant::now(),
        }
    }
}

/// One run of a body.
#[derive(Debug)]
pub(crate) struct RunMetrics {
    metrics: Metrics,
    method: [KeyValue; 1],
    begun: Instant,
}

impl RunMetrics {
    pub(crate) fn lease_lost(&self) {
        self.metrics.0.leases_lost.add(1, &self.method);
    }

    /// How it ended was written with this command, and has left the operation in this state.
    pub(crate) fn written(&self, command: &Command, state: OperationState) {
        self.metrics.0.steps.written(command, &self.method);
        if matches!(command, Command::Retry { .. }) && !state.is_done() {
            self.metrics.0.retries.add(1, &self.method);
        }
    }
}

impl Drop for RunMetrics {
    fn drop(&mut self) {
        let instruments = &self.metrics.0;
        instruments.running.add(-1, &self.method);
        let took = self.begun.elapsed().as_secs_f64();
        instruments.run_time.record(took, &self.method);
    }
}

/// The code that an operation has ended with.
fn code_of(record: &OperationRecord) -> i32 {
    match &record.result {
        Some(OperationResult::Error(error)) => error.code,
        Some(OperationResult::Response(_)) | None => Code::Ok as i32,
    }
}

/// `package.Service/Method`, as the semantic conventions write it.
fn method(path: &str) -> KeyValue {
    KeyValue::new("rpc.method", path.trim_start_matches('/').to_owned())
}

fn status(code: i32) -> KeyValue {
    let code = Code::try_from(code).unwrap_or(Code::Unknown);
    KeyValue::new("rpc.response.status_code", code.as_str_name())
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
