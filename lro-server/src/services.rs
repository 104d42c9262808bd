//! The services whose operations are served, each with the names it has.

use std::collections::BTreeSet;
use std::fmt;

use lro_core::{OperationName, ParentPattern, Reason};
use tonic::Status;

use crate::access::{Method, Principal};

/// How the operations of one service are served.
///
/// ```
/// use lro_core::MemoryStore;
/// use lro_server::access::Method;
/// use lro_server::{Operations, ServiceSettings};
///
/// let exporter = ServiceSettings::new("google.example.v1.Exporter")
///     .parent("users/*".parse()?)
///     .parent("projects/*/locations/*".parse()?)
///     .without(Method::Wait);
/// let operations = Operations::builder(MemoryStore::new()).service(exporter).build();
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
    without: BTreeSet<Method>,
    scopes: BTreeSet<String>,
    read_only_scopes: BTreeSet<String>,
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
        }
    }

    /// Its operations are named `{parent}/operations/*`. Further calls add further bindings;
    /// without any, the binding is `operations/*`, which is the empty parent.
    pub fn parent(mut self, parent: ParentPattern) -> Self {
        match &mut self.parents {
            Parents::Any => self.parents = Parents::Of(vec![parent]),
            Parents::Of(parents) => parents.push(parent),
        }
        self
    }

    /// Switches a method off: UNIMPLEMENTED.
    pub fn without(mut self, method: Method) -> Self {
        self.without.insert(method);
        self
    }

    /// What its permissions begin with, in place of its full name: with `exporter` they are
    /// `exporter.operations.get` and so on.
    pub fn permission_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.permission_prefix = prefix.into();
        self
    }

    /// OAuth scopes, any one of which suffices for all methods, and for starts. As soon as there is
    /// one, callers [without scopes](crate::access::Principal::with_scopes) are refused.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// OAuth scopes, any one of which suffices for get, list and wait.
    pub fn read_only_scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let scopes = scopes.into_iter().map(Into::into);
        self.read_only_scopes.extend(scopes);
        self
    }

    /// The service's full name.
    pub fn name(&self) -> &str {
        &self.service
    }

    /// Whether its operations are served by this method.
    pub fn offers(&self, method: Method) -> bool {
        !self.without.contains(&method)
    }

    /// The permission that a caller needs.
    pub fn permission(&self, method: Method) -> String {
        format!("{}.operations.{method}", self.permission_prefix)
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
        let methods = Method::ALL.into_iter().filter(|it| self.offers(*it));
        let methods: Vec<_> = methods.map(Method::as_str).collect();
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
    nobody: ServiceSettings,
}

impl Services {
    /// With `without` switched off for all of them.
    pub(crate) fn new(mut settings: Vec<ServiceSettings>, without: &BTreeSet<Method>) -> Self {
        if settings.is_empty() {
            settings.push(ServiceSettings::any());
        }
        let mut nobody = ServiceSettings::none();
        for service in settings.iter_mut().chain([&mut nobody]) {
            service.without.extend(without);
        }
        Self { settings, nobody }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ServiceSettings> {
        self.settings.iter()
    }

    /// Whether names and methods need no looking after: no service is configured, and all is on.
    pub(crate) fn are_open(&self) -> bool {
        let open = |it: &ServiceSettings| matches!(it.parents, Parents::Any);
        self.settings.iter().all(open)
    }

    /// What to ask permission for where no service has such names.
    pub(crate) fn nobody(&self) -> &ServiceSettings {
        &self.nobody
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
                 OperationsBuilder::service its ServiceSettings"
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
mod tests {
    use super::*;

    fn services(
        settings: impl IntoIterator<Item = (&'static str, &'static [&'static str])>,
    ) -> Services {
        let settings = settings.into_iter().map(|(name, parents)| {
            let settings = ServiceSettings::new(name);
            let parents = parents.iter().map(|it| it.parse().unwrap());
            parents.fold(settings, ServiceSettings::parent)
        });
        Services::new(settings.collect(), &BTreeSet::new())
    }

    fn names(services: &Services, parent: &str) -> Vec<String> {
        let parent = parent.parse().unwrap();
        let below = services.below(&parent).into_iter();
        below.map(|it| it.name().to_owned()).collect()
    }

    #[test]
    fn spec_081_085_a_parent_belongs_to_the_services_that_bind_it() {
        let all = services([
            ("a.A", &[] as &[_]),
            ("b.B", &["users/*"]),
            ("c.C", &["users/*", "projects/*/locations/*"]),
        ]);
        for (parent, expected) in [
            ("", &["a.A"] as &[_]),
            ("operations", &["a.A"]),
            ("users/u", &["b.B", "c.C"]),
            ("users/u/operations", &["b.B", "c.C"]),
            ("users/-", &["b.B", "c.C"]),
            ("projects/p/locations/-", &["c.C"]),
            ("-/p/locations/-", &[]),
            ("-/-", &[]),
            ("users/u/v", &[]),
            ("projects/p", &[]),
        ] {
            assert_eq!(names(&all, parent), expected, "{parent}");
        }
    }

    #[test]
    fn a_start_has_to_fit_its_service() {
        let all = services([("a.A", &["users/*"] as &[_])]);
        let name = "users/u/operations/1".parse().unwrap();
        assert_eq!(all.of_start("/a.A/Export", &name).unwrap().name(), "a.A");
        let error = all.of_start("/b.B/Export", &name).unwrap_err();
        assert_eq!(error.code(), tonic::Code::Internal);
        assert!(error.message().contains("OperationsBuilder::service"));
        let name = "operations/1".parse().unwrap();
        let error = all.of_start("/a.A/Export", &name).unwrap_err();
        assert_eq!(error.code(), tonic::Code::Internal);
        assert!(error.message().contains("users/*/operations/*"), "{error}");
        let open = services([]);
        assert!(open.of_start("/b.B/Export", &name).is_ok());
    }

    #[test]
    fn a_path_names_its_service() {
        assert_eq!(service_of("/a.b.C/D"), "a.b.C");
        assert_eq!(service_of("a"), "a");
        assert_eq!(service_of(""), "");
    }

    #[test]
    fn any_one_scope_suffices_and_reading_needs_less() {
        let service = ServiceSettings::new("a.A")
            .scopes(["cloud-platform", "genomics"])
            .read_only_scopes(["genomics.readonly"]);
        for (scopes, reads, writes) in [
            (&["cloud-platform"] as &[&str], true, true),
            (&["other", "genomics"], true, true),
            (&["genomics.readonly"], true, false),
            (&["genomics.readonl"], false, false),
            (&[], false, false),
        ] {
            let principal = Principal::new("p").with_scopes(scopes.iter().copied());
            assert_eq!(service.admits_scopes(&principal, true), reads, "{scopes:?}");
            assert_eq!(
                service.admits_scopes(&principal, false),
                writes,
                "{scopes:?}"
            );
        }
        assert!(!service.admits_scopes(&Principal::new("p"), true));
        assert!(ServiceSettings::new("a.A").admits_scopes(&Principal::new("p"), false));
    }
}
