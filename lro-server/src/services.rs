//! The services whose operations are served, each with its names.

use std::collections::BTreeSet;
use std::fmt;

use lro_core::filter::Schema;
use lro_core::store::ListPolicy;
use lro_core::{OperationName, ParentPattern, Reason};
use tonic::Status;

use crate::access::{OperationsRpc, Principal};

/// The settings for the operations of one service: names, methods, scopes and lists.
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_server::access::OperationsRpc;
/// use lro_server::{Operations, ServiceSettings};
///
/// let exporter = ServiceSettings::new("google.example.v1.Exporter")
///     .parent("users/*".parse()?)
///     .parent("projects/*/locations/*".parse()?)
///     .disable(OperationsRpc::Wait);
/// let operations = Operations::builder(MemoryStore::new()).bind(exporter).build();
/// assert_eq!(
///     operations.describe(),
///     "google.example.v1.Exporter: users/*/operations/*, projects/*/locations/*/operations/*; \
///      get, list, cancel, delete\n"
/// );
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ServiceSettings {
    service: String,
    permission_prefix: String,
    parents: Parents,
    without: BTreeSet<OperationsRpc>,
    scopes: BTreeSet<String>,
    read_only_scopes: BTreeSet<String>,
    list_policy: Option<ListPolicy>,
}

#[derive(Clone, Debug)]
enum Parents {
    /// Whatever a start says: for servers that configure no service.
    Any,
    Of(Vec<ParentPattern>),
}

impl ServiceSettings {
    /// The service of this full name, with operations named `operations/*`, all five methods, and
    /// no scopes asked for.
    pub fn new(service: impl Into<String>) -> Self {
        let service = service.into();
        Self {
            permission_prefix: service.clone(),
            service,
            parents: Parents::Of(Vec::new()),
            without: BTreeSet::new(),
            scopes: BTreeSet::new(),
            read_only_scopes: BTreeSet::new(),
            list_policy: None,
        }
    }

    /// Adds a binding: operations may be named `{parent}/operations/*`. Without any, the binding is
    /// `operations/*`, with the empty parent.
    pub fn parent(mut self, parent: ParentPattern) -> Self {
        match &mut self.parents {
            Parents::Any => self.parents = Parents::Of(vec![parent]),
            Parents::Of(parents) => parents.push(parent),
        }
        self
    }

    /// Disables a method: calls of it are UNIMPLEMENTED.
    pub fn disable(mut self, method: OperationsRpc) -> Self {
        self.without.insert(method);
        self
    }

    /// The prefix of its permissions, in place of its full name: with `exporter` they are
    /// `exporter.operations.get` and so on.
    pub fn permission_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.permission_prefix = prefix.into();
        self
    }

    /// Sets OAuth scopes, any one of which suffices for all methods and for starts. With scopes,
    /// the server denies callers [without scopes](crate::access::Principal::with_scopes).
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Sets OAuth scopes, any one of which suffices for get, list and wait.
    pub fn read_only_scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let scopes = scopes.into_iter().map(Into::into);
        self.read_only_scopes.extend(scopes);
        self
    }

    /// The list policy of this service, if it differs from the server's
    /// [policy](crate::OperationsBuilder::list_policy): the fields that filters may and must name,
    /// and the page sizes. For a filter dialect that one of several services documents:
    ///
    /// ```
    /// use lro_core::store::{ListPolicy, MemoryStore};
    /// use lro_server::{ListOptions, Operations, ServiceSettings};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let genomics = ServiceSettings::new("google.example.v1.Genomics")
    ///     .parent("projects/*".parse()?)
    ///     .list_policy(ListPolicy::genomics_v1());
    /// let exporter = ServiceSettings::new("google.example.v1.Exporter").parent("users/*".parse()?);
    /// let operations = Operations::builder(MemoryStore::new())
    ///     .bind(genomics)
    ///     .bind(exporter)
    ///     .build();
    /// let dialect = ListOptions::new().filter("projectId = p AND status = RUNNING");
    /// assert!(operations.list("projects/p".parse()?, &dialect).await.is_ok());
    /// assert!(operations.list("users/u".parse()?, &dialect).await.is_err());
    /// let standard = ListOptions::new().filter("done = false");
    /// assert!(operations.list("users/u".parse()?, &standard).await.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// The parent of a list determines its service. If several services with lists bind the same
    /// names, their policy applies if they all have the same one; otherwise the server's policy
    /// applies, so that a filter has one meaning for all operations of a list. The server logs which
    /// services conflict.
    pub fn list_policy(mut self, list_policy: ListPolicy) -> Self {
        self.list_policy = Some(list_policy);
        self
    }

    /// The service's full name.
    pub fn name(&self) -> &str {
        &self.service
    }

    /// Whether its operations are served by this method.
    pub fn offers(&self, method: OperationsRpc) -> bool {
        !self.without.contains(&method)
    }

    /// The permission that a caller needs.
    pub fn permission(&self, method: OperationsRpc) -> String {
        format!("{}.operations.{method}", self.permission_prefix)
    }

    /// A permission with another verb than those of the standard methods.
    #[cfg(feature = "inspection")]
    pub(crate) fn permission_to(&self, verb: &str) -> String {
        format!("{}.operations.{verb}", self.permission_prefix)
    }

    /// Those of any name, of whatever service: what a server has that configures none.
    fn any() -> Self {
        let mut settings = Self::new("").permission_prefix("longrunning");
        settings.parents = Parents::Any;
        settings
    }

    /// Those of names that no service has.
    fn none() -> Self {
        Self::new("").permission_prefix("longrunning")
    }

    pub(crate) fn admits_scopes(&self, principal: &Principal, read_only: bool) -> bool {
        if self.scopes.is_empty() && self.read_only_scopes.is_empty() {
            return true;
        }
        let given = principal.scopes();
        given.into_iter().flatten().any(|scope| {
            self.scopes.contains(scope) || read_only && self.read_only_scopes.contains(scope)
        })
    }

    fn has(&self, covers: impl Fn(&ParentPattern) -> bool) -> bool {
        match &self.parents {
            Parents::Any => true,
            Parents::Of(parents) if parents.is_empty() => covers(&ParentPattern::default()),
            Parents::Of(parents) => parents.iter().any(covers),
        }
    }

    /// Whether both may have operations of one parent.
    fn shares_parents(&self, other: &Self) -> bool {
        let Parents::Of(parents) = &other.parents else {
            return true;
        };
        match &**parents {
            [] => self.has(|bound| bound.overlaps(&ParentPattern::default())),
            parents => parents
                .iter()
                .any(|it| self.has(|bound| bound.overlaps(it))),
        }
    }

    /// Whether a record of this gRPC path is an operation of the service.
    pub(crate) fn owns(&self, path: &str) -> bool {
        matches!(self.parents, Parents::Any) || service_of(path) == self.service
    }
}

/// The bindings and the methods, for people.
impl fmt::Display for ServiceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.service {
            "" => f.write_str("any service")?,
            service => f.write_str(service)?,
        }
        let bindings = match &self.parents {
            Parents::Any => vec!["any parent".to_owned()],
            Parents::Of(parents) if parents.is_empty() => vec!["operations/*".to_owned()],
            Parents::Of(parents) => parents.iter().map(binding).collect(),
        };
        let methods = OperationsRpc::ALL.into_iter().filter(|it| self.offers(*it));
        let methods: Vec<_> = methods.map(OperationsRpc::as_str).collect();
        write!(f, ": {}; {}", bindings.join(", "), methods.join(", "))
    }
}

fn binding(parent: &ParentPattern) -> String {
    match parent.as_str() {
        "" => "operations/*".to_owned(),
        parent => format!("{parent}/operations/*"),
    }
}

/// The service of a gRPC path, `/package.Service/Method`.
pub(crate) fn service_of(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.rsplit_once('/').map_or(path, |(service, _)| service)
}

/// All services of a server.
#[derive(Debug)]
pub(crate) struct Services {
    settings: Vec<ServiceSettings>,
    without_names: ServiceSettings,
    list_policy: ListPolicy,
}

impl Services {
    /// With `disable` switched off for all of them.
    pub(crate) fn new(
        mut settings: Vec<ServiceSettings>,
        without: &BTreeSet<OperationsRpc>,
    ) -> Self {
        if settings.is_empty() {
            settings.push(ServiceSettings::any());
        }
        let mut without_names = ServiceSettings::none();
        for service in settings.iter_mut().chain([&mut without_names]) {
            service.without.extend(without);
        }
        Self {
            settings,
            without_names,
            list_policy: ListPolicy::default(),
        }
    }

    /// With lists like this, where a service says nothing else. Filters of all of them may name the
    /// fields of these payloads.
    pub(crate) fn with_lists(mut self, list_policy: ListPolicy, payloads: &Schema) -> Self {
        self.list_policy = list_policy;
        let own = self
            .settings
            .iter_mut()
            .filter_map(|it| it.list_policy.as_mut());
        for policy in own.chain([&mut self.list_policy]) {
            let schema = policy.schema.to_builder();
            policy.schema = schema.payloads_of(payloads).build();
        }
        self
    }

    /// The policy of lists below this parent: that of its services if they agree, and otherwise the
    /// server's.
    pub(crate) fn list_policy(&self, parent: &ParentPattern) -> &ListPolicy {
        let below = self.below(parent).into_iter();
        let mut policies = below
            .filter(|service| service.offers(OperationsRpc::List))
            .map(|service| self.policy_of(service));
        match policies.next() {
            Some(first) if policies.all(|other| other == first) => first,
            _ => &self.list_policy,
        }
    }

    /// Pairs of services that share parents, but not what lists are like.
    pub(crate) fn mixed_lists(&self) -> Vec<(&ServiceSettings, &ServiceSettings)> {
        let listed = |it: &&ServiceSettings| it.offers(OperationsRpc::List);
        let services: Vec<_> = self.settings.iter().filter(listed).collect();
        let pairs = services.iter().enumerate().flat_map(|(n, one)| {
            let others = &services[n + 1..];
            others.iter().map(move |other| (*one, *other))
        });
        let mixed = |(one, other): &(&ServiceSettings, &ServiceSettings)| {
            self.policy_of(one) != self.policy_of(other) && one.shares_parents(other)
        };
        pairs.filter(mixed).collect()
    }

    fn policy_of<'a>(&'a self, service: &'a ServiceSettings) -> &'a ListPolicy {
        service.list_policy.as_ref().unwrap_or(&self.list_policy)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ServiceSettings> {
        self.settings.iter()
    }

    /// The parents of all of them; none where any may be.
    #[cfg(feature = "serve")]
    pub(crate) fn parents(&self) -> Vec<ParentPattern> {
        let mut all = Vec::new();
        for service in &self.settings {
            match &service.parents {
                Parents::Any => return Vec::new(),
                Parents::Of(parents) if parents.is_empty() => all.push(ParentPattern::default()),
                Parents::Of(parents) => all.extend(parents.iter().cloned()),
            }
        }
        all
    }

    /// Whether names and methods need no looking after: no service is configured, and all is on.
    pub(crate) fn are_open(&self) -> bool {
        let open = |it: &ServiceSettings| matches!(it.parents, Parents::Any);
        self.settings.iter().all(open)
    }

    /// The service to authorize calls for if no service has the name.
    pub(crate) fn without_names(&self) -> &ServiceSettings {
        &self.without_names
    }

    /// The services that may have operations below this parent: one, where bindings differ.
    pub(crate) fn below(&self, parent: &ParentPattern) -> Vec<&ServiceSettings> {
        let below = |it: &&ServiceSettings| it.has(|bound| bound.covers(parent));
        self.settings.iter().filter(below).collect()
    }

    /// The service that starts an operation of this name.
    ///
    /// # Errors
    ///
    /// INTERNAL when the service has no such names: a mistake of the program, not of its caller.
    pub(crate) fn of_start(
        &self,
        path: &str,
        name: &OperationName,
    ) -> Result<&ServiceSettings, Status> {
        let service = service_of(path);
        let Some(settings) = self.settings.iter().find(|it| it.owns(path)) else {
            let message = format!(
                "`{service}` starts operations, and the server has no settings for it: give \
                 OperationsBuilder::bind its ServiceSettings"
            );
            return Err(misconfigured(message, service));
        };
        if settings.has(|bound| bound.matches(name.parent())) {
            return Ok(settings);
        }
        let message = format!(
            "the operation would be `{name}`, which is no name of `{settings}`: bind its parent \
             by ServiceSettings::parent, or give another one by StartOptions::parent"
        );
        Err(misconfigured(message, service))
    }
}

fn misconfigured(message: String, service: &str) -> Status {
    tracing::error!("{message}");
    Reason::ServiceMisconfigured.status(message, [("service", service)])
}

#[cfg(test)]
mod tests;
