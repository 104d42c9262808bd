use std::sync::{Arc, Mutex, RwLock};

use lro_core::filter::Schema;
use lro_core::{Clock, OperationStore, SystemClock};
use tokio_util::sync::CancellationToken;

use super::{Inner, Observer, Operations};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::waiters::Waiters;

/// What [`Operations`] are to be like.
///
/// ```
/// use lro_core::MemoryStore;
/// use lro_server::{Limits, Operations};
///
/// let limits = Limits { page_size_max: 100, ..Limits::default() };
/// let operations = Operations::builder(MemoryStore::new()).limits(limits).build();
/// ```
#[derive(Debug)]
#[must_use]
pub struct OperationsBuilder {
    store: Arc<dyn OperationStore>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    filter_schema: Schema,
    #[cfg(feature = "otel")]
    metrics: Option<Metrics>,
}

impl OperationsBuilder {
    pub(super) fn new(store: impl OperationStore) -> Self {
        Self {
            store: Arc::new(store),
            clock: Arc::new(SystemClock),
            limits: Limits::default(),
            filter_schema: Schema::default(),
            #[cfg(feature = "otel")]
            metrics: None,
        }
    }

    /// The limits of the server.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What the filters of lists may name. The default has the fields that every operation has;
    /// a schema with the descriptors of a service's messages also has `metadata.*` and
    /// `response.*`.
    pub fn filter_schema(mut self, filter_schema: Schema) -> Self {
        self.filter_schema = filter_schema;
        self
    }

    /// Where the times in operation ids come from.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What measures the operations. The default is the meter `lro-server` of OpenTelemetry's global
    /// provider, as that is when the operations are built.
    #[cfg(feature = "otel")]
    pub fn meter(mut self, meter: &opentelemetry::metrics::Meter) -> Self {
        self.metrics = Some(Metrics::new(meter));
        self
    }

    /// The operations.
    pub fn build(self) -> Operations {
        #[cfg(feature = "otel")]
        let metrics = self.metrics.unwrap_or_default();
        #[cfg(not(feature = "otel"))]
        let metrics = Metrics::default();
        let waiters = Waiters::new(
            self.limits.waiters_max,
            self.limits.waiters_per_operation_max,
        );
        let inner = Arc::new(Inner {
            store: metrics.observe(self.store),
            metrics,
            clock: self.clock,
            limits: self.limits,
            filter_schema: self.filter_schema,
            uids: Mutex::new(uuid::ContextV7::new()),
            waiters: Arc::new(waiters),
            closing: CancellationToken::new(),
            workers: RwLock::default(),
            methods: RwLock::default(),
        });
        inner
            .store
            .observe(Arc::new(Observer(Arc::downgrade(&inner))));
        Operations { inner }
    }
}
