use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use lro_core::filter::{InvalidDescriptorSet, Schema};
use lro_core::store::{ListPolicy, OperationStore};
use lro_core::{Clock, SystemClock};

use super::{Inner, Operations};
use crate::access::{Authorizer, Gate, OperationsRpc};
use crate::engine::Engine;
use crate::engine::metrics::Metrics;
use crate::limits::Limits;
use crate::page_token::{PageTokenKeys, PageTokens};
use crate::services::{ServiceSettings, Services};

/// The settings of [`Operations`].
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_server::{Limits, Operations};
///
/// let limits = Limits::default().max_page_size(100);
/// let operations = Operations::builder(MemoryStore::new()).limits(limits).build();
/// ```
#[derive(Debug)]
#[must_use]
pub struct OperationsBuilder {
    store: Arc<dyn OperationStore>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    list_policy: ListPolicy,
    payloads: Schema,
    descriptor_sets: Vec<Vec<u8>>,
    #[cfg(feature = "otel")]
    metrics: Option<Metrics>,
    services: Vec<ServiceSettings>,
    without: BTreeSet<OperationsRpc>,
    authorizer: Option<Arc<dyn Authorizer>>,
    page_token_keys: Option<PageTokenKeys>,
}

impl OperationsBuilder {
    pub(super) fn new(store: impl OperationStore) -> Self {
        Self {
            store: Arc::new(store),
            clock: Arc::new(SystemClock),
            limits: Limits::default(),
            list_policy: ListPolicy::default(),
            payloads: Schema::default(),
            descriptor_sets: Vec::new(),
            #[cfg(feature = "otel")]
            metrics: None,
            services: Vec::new(),
            without: BTreeSet::new(),
            authorizer: None,
            page_token_keys: None,
        }
    }

    /// The limits of the server.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Allows filters to name the fields of `metadata` and `response`, for all types of the
    /// long-running rpcs in this set. The set is `FILE_DESCRIPTOR_SET` in the generated code of a
    /// service. Without it, filters can name only the fields of every operation. The reflection of
    /// the module `serve` also describes the services of these sets.
    ///
    /// Call it once for each set. The types are added to what filters may name in all lists, those
    /// also of services with a [policy of their own](ServiceSettings::list_policy); in a
    /// [closed](lro_core::filter::SchemaBuilder::closed) schema they can only be named by a field
    /// that stands for them.
    ///
    /// ```
    /// use exporter::pb;
    /// use lro_core::store::MemoryStore;
    /// use lro_server::{ListOptions, Operations};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let operations = Operations::builder(MemoryStore::new())
    ///     .file_descriptor_set(pb::FILE_DESCRIPTOR_SET)?
    ///     .build();
    /// let filter = "metadata.tables_done >= 5 AND done = false";
    /// let options = ListOptions::new().filter(filter);
    /// operations.list(Default::default(), &options).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// If the bytes are not an encoded file descriptor set with all imports.
    pub fn file_descriptor_set(mut self, encoded: &[u8]) -> Result<Self, InvalidDescriptorSet> {
        let payloads = self.payloads.to_builder();
        self.payloads = payloads.file_descriptor_set(encoded)?.build();
        self.descriptor_sets.push(encoded.to_vec());
        Ok(self)
    }

    /// Sets the policy of lists: the fields that filters may and must name, and the page sizes, if
    /// they differ from [`Limits`].
    ///
    /// It applies to all services without [their own policy](ServiceSettings::list_policy), and to
    /// lists of several services with different policies.
    pub fn list_policy(mut self, list_policy: ListPolicy) -> Self {
        self.list_policy = list_policy;
        self
    }

    /// Adds a service whose operations are served, with its names, methods and scopes. Later
    /// settings of the same service replace earlier ones.
    ///
    /// Without any, all services may start operations with any name. With one, add every service
    /// that starts operations: a start by another service, or with a name outside its bindings,
    /// fails with INTERNAL.
    pub fn bind(mut self, service: ServiceSettings) -> Self {
        self.services.retain(|it| it.name() != service.name());
        self.services.push(service);
        self
    }

    /// Disables a method of the whole server: calls of it are UNIMPLEMENTED.
    pub fn disable(mut self, method: OperationsRpc) -> Self {
        self.without.insert(method);
        self
    }

    /// Sets the authorizer. Without one, **every caller that reaches the server may do everything**
    /// with every operation; then restrict the access by other means.
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// The keys that page tokens are encrypted with: the same on every replica. Default: the key that
    /// the store [creates and keeps](lro_core::store::OperationStore::page_token_key).
    pub fn page_token_keys(mut self, keys: PageTokenKeys) -> Self {
        self.page_token_keys = Some(keys);
        self
    }

    /// Sets the clock for the times in operation ids and page tokens.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the meter of the operations. The default is the meter `lro-server` of OpenTelemetry's global
    /// provider, as that is when the operations are built.
    #[cfg(feature = "otel")]
    pub fn meter(mut self, meter: &opentelemetry::metrics::Meter) -> Self {
        self.metrics = Some(Metrics::new(meter));
        self
    }

    /// Builds the operations, and logs the services at the level info.
    pub fn build(self) -> Operations {
        #[cfg(feature = "otel")]
        let metrics = self.metrics.unwrap_or_default();
        #[cfg(not(feature = "otel"))]
        let metrics = Metrics;
        let services = Services::new(self.services, &self.without)
            .with_lists(self.list_policy, &self.payloads);
        for (one, other) in services.mixed_lists() {
            tracing::warn!(
                "{} and {} have operations of the same parents and lists of their own: those of \
                 such parents are as OperationsBuilder::list_policy says",
                one.name(),
                other.name()
            );
        }
        for service in services.iter() {
            tracing::info!(
                authorized = self.authorizer.is_some(),
                "operations of {service}"
            );
        }
        let page_tokens = PageTokens::new(self.page_token_keys, self.limits.max_page_token_age);
        let inner = Arc::new(Inner {
            engine: Engine::new(self.store, metrics, self.clock, self.limits),
            gate: Gate::new(services, self.authorizer),
            page_tokens,
            descriptor_sets: self.descriptor_sets,
            methods: RwLock::default(),
            #[cfg(feature = "inspection")]
            servers: crate::inspection::Servers::default(),
        });
        Operations { inner }
    }
}
