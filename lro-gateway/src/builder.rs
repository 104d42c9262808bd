//! How a gateway is built.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lro_core::ParentPattern;
use tower::Service;

use crate::body::BoxError;
use crate::call::Backend;
use crate::cross_site::CrossSite;
use crate::fault::seconds;
use crate::gateway::{Gateway, Settings, Shared};
use crate::openapi::{Document, OpenApi};
use crate::operations::OperationsBindings;
use crate::rules::{BuildError, HttpRule, Rules, compile};
use crate::types;

/// Builds a [`Gateway`].
#[derive(Debug)]
#[must_use]
pub struct GatewayBuilder {
    backend: Backend,
    descriptor_sets: Vec<Vec<u8>>,
    rules: Rules,
    operations: OperationsBindings,
    settings: Settings,
    cross_site: CrossSite,
    openapi: Option<OpenApi>,
}

impl GatewayBuilder {
    /// The default of [`max_body`](Self::max_body): 4 MiB, the default limit of gRPC messages.
    pub const DEFAULT_MAX_BODY: usize = 4 * 1024 * 1024;

    /// The default of [`max_watch`](Self::max_watch): 30 minutes.
    pub const DEFAULT_MAX_WATCH: Duration = Duration::from_secs(30 * 60);

    pub(crate) fn new<S, B>(service: S) -> Self
    where
        S: Service<http::Request<tonic::body::Body>, Response = http::Response<B>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            backend: Backend::new(service),
            descriptor_sets: Vec::new(),
            rules: Rules::new(),
            operations: OperationsBindings::default(),
            settings: Settings::default(),
            cross_site: CrossSite::default(),
            openapi: Some(OpenApi::new()),
        }
    }

    /// Adds the services and messages of an encoded `FileDescriptorSet`: the constant
    /// `FILE_DESCRIPTOR_SET` of generated code. The rpcs of its services that have an annotation
    /// `google.api.http` are bound.
    pub fn file_descriptor_set(mut self, encoded: impl Into<Vec<u8>>) -> Self {
        self.descriptor_sets.push(encoded.into());
        self
    }

    /// Adds several sets, as [`file_descriptor_set`](Self::file_descriptor_set) does one.
    pub fn file_descriptor_sets<S: Into<Vec<u8>>>(
        mut self,
        encoded: impl IntoIterator<Item = S>,
    ) -> Self {
        self.descriptor_sets
            .extend(encoded.into_iter().map(Into::into));
        self
    }

    /// The beginning of all paths, such as `/api`, where a proxy in front does not remove it: then
    /// `/api/v1/operations/7` is an operation and `/v1/operations/7` is 404. Default: none.
    pub fn base_path(mut self, path: impl Into<String>) -> Self {
        self.settings.base_path = path.into();
        self
    }

    /// Binds an rpc, given as `package.Service/Method` or `package.Service.Method`. The rule replaces the
    /// rpc's annotation.
    pub fn rule(mut self, rpc: &str, rule: HttpRule) -> Self {
        let name = rpc.trim_start_matches('/').replacen('/', ".", 1);
        self.rules.insert(name, rule);
        self
    }

    /// Binds `google.longrunning.Operations` below a prefix, for names of both styles:
    /// `/v1/operations/7` and `/v1/projects/p/locations/l/operations/7`. Further calls add further
    /// prefixes. Default: `/v1`, unless there are [rules](Self::rule) for its rpcs, which replace these
    /// bindings. The services lro.v1.Steps and lro.v1.Inspection, where descriptor sets have them, are bound at the
    /// same paths: `/v1/operations/7:listSteps`.
    pub fn operations(mut self, prefix: &str) -> Self {
        self.operations.bind(prefix, &[]);
        self
    }

    /// Binds `google.longrunning.Operations` below a prefix, for operations of these parents only:
    /// `/v1/users/u/operations/7` for `users/*`. Without parents it is [`operations`](Self::operations).
    /// Further calls add further bindings.
    ///
    /// ```
    /// use lro_gateway::Gateway;
    /// use tonic::service::Routes;
    ///
    /// # fn example(routes: Routes) -> Result<(), Box<dyn std::error::Error>> {
    /// let gateway = Gateway::builder(routes)
    ///     .operations_of("/v1", &["users/*".parse()?])
    ///     .operations_of("/v2beta", &["projects/*/locations/*".parse()?])
    ///     .build()?;
    /// # let _ = gateway;
    /// # Ok(()) }
    /// ```
    pub fn operations_of(mut self, prefix: &str, parents: &[ParentPattern]) -> Self {
        self.operations.bind(prefix, parents);
        self
    }

    /// The largest body of a request, inflated, in bytes. A larger one is answered with 413. Default:
    /// [`DEFAULT_MAX_BODY`](Self::DEFAULT_MAX_BODY).
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.settings.max_body = bytes;
        self
    }

    /// The largest message of an answer, in bytes. A larger one is an error of the call. By default there
    /// is no limit of the gateway's own: the service behind it has one.
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.settings.max_response = bytes;
        self
    }

    /// The longest time that a call may take, whatever its client asks for. By default a call without a
    /// deadline has none.
    pub fn max_timeout(mut self, timeout: Duration) -> Self {
        self.settings.max_timeout = Some(timeout);
        self
    }

    /// The longest time that one watch of an operation lasts. Then it ends with the event `bye`, and the
    /// client connects again. Default: [`DEFAULT_MAX_WATCH`](Self::DEFAULT_MAX_WATCH).
    pub fn max_watch(mut self, time: Duration) -> Self {
        self.settings.max_watch = time;
        self
    }

    /// Gives the answers of GetOperation a `Retry-After` while the operation is not done: the pause, in
    /// whole seconds and rounded up, after which a client should poll again. By default it has none.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_hint = Some(seconds(interval));
        self
    }

    /// Whether JSON fields that a message does not have are ignored. By default they are errors.
    pub fn ignore_unknown_fields(mut self, ignore: bool) -> Self {
        self.settings.ignore_unknown_fields = ignore;
        self
    }

    /// Whether parameters of a query that a message does not have are ignored. By default they are errors.
    pub fn ignore_unknown_parameters(mut self, ignore: bool) -> Self {
        self.settings.ignore_unknown_parameters = ignore;
        self
    }

    /// Whether answers have fields that hold their default. By default they are left out.
    pub fn default_values(mut self, write: bool) -> Self {
        self.settings.default_values = write;
        self
    }

    /// Lets pages of this origin, such as `https://ui.example`, call the gateway (CORS). By default only
    /// pages of its own host may, but for reading.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.cross_site.allow(origin.into());
        self
    }

    /// The title, version and other texts of the [OpenAPI document](OpenApi). By default they are made of
    /// the packages of the services.
    pub fn openapi(mut self, openapi: OpenApi) -> Self {
        self.openapi = Some(openapi);
        self
    }

    /// Serves no `openapi.json` below the base path. By default the gateway describes all bindings there, to everybody who
    /// reaches it.
    pub fn without_openapi(mut self) -> Self {
        self.openapi = None;
        self
    }

    /// Builds the gateway.
    ///
    /// # Errors
    ///
    /// When a descriptor set cannot be read, or a rule cannot be served: a malformed template, a field that
    /// does not exist, two rules of one method and path.
    pub fn build(self) -> Result<Gateway, BuildError> {
        let base_path = &self.settings.base_path;
        let is_base = base_path.is_empty()
            || base_path.starts_with('/') && !base_path.ends_with('/') && !base_path.contains("//");
        if !is_base {
            return Err(BuildError::new(format!(
                "the base path `{base_path}` has to begin with a slash and to end without one"
            )));
        }
        let types = types::pool(&self.descriptor_sets)?;
        let mut rules = self.rules;
        self.operations.add_to(&types, &mut rules);
        let router = compile(&types, &rules)?;
        let base_path = self.settings.base_path.clone();
        let document = self.openapi.map(|texts| Document::new(texts, base_path));
        let document = document.transpose()?;
        Ok(Gateway::new(Arc::new(Shared {
            router,
            types,
            backend: self.backend,
            settings: self.settings,
            cross_site: self.cross_site,
            document,
        })))
    }
}
