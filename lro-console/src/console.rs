//! The console: its settings, and the service that answers requests.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use lro_core::ParentPattern;
use prost_reflect::DescriptorPool;
use tonic::body::Body;
use tower::{BoxError, Service};

use crate::answer::secure;
use crate::door::Door;
use crate::route;
use crate::safety::Safety;
use crate::sign_in::SignIn;
use crate::source::Source;
use crate::types;

/// A web console for operations: a tower service for HTTP requests, cheap to clone.
///
/// Every link is relative and each page is one path segment below the mount, so that the console
/// works below any prefix, whether a proxy strips it or keeps it. The mount itself must end with a
/// slash: `/console/`.
///
/// ```
/// use lro_console::Console;
/// use lro_server::Operations;
/// use lro_server::lro_core::store::MemoryStore;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let operations = Operations::new(MemoryStore::new());
/// let console = Console::of_server(&operations)?
///     .title("exporter-staging")
///     .read_only(true);
/// # let _ = console; Ok(())
/// # }
/// ```
///
/// [`serve`](Self::serve) gives it a port of its own. To serve it beside gRPC, give it to
/// `lro_server::serve::Server::http`; axum mounts it with `Router::nest_service`.
#[derive(Clone)]
#[must_use = "a console does nothing before it is served"]
pub struct Console {
    settings: Arc<Settings>,
}

/// The settings of a console.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) types: DescriptorPool,
    pub(crate) title: String,
    pub(crate) parent: ParentPattern,
    pub(crate) is_read_only: bool,
    pub(crate) has_authorizer: bool,
    pub(crate) allows_anonymous: bool,
    /// Whether pages show the requests of operations; by default only without an authorizer.
    pub(crate) shows_requests: Option<bool>,
    pub(crate) safety: Safety,
    pub(crate) door: Option<Arc<Door>>,
    pub(crate) sign_in: Option<SignIn>,
}

impl Console {
    /// The console of the operations of a server in this process. Payloads are decoded with the
    /// types of `OperationsBuilder::file_descriptor_set`.
    ///
    /// # Errors
    ///
    /// If a descriptor set cannot be read.
    #[cfg(feature = "server")]
    pub fn of_server(operations: &lro_server::Operations) -> Result<Self, InvalidDescriptorSet> {
        let source = crate::source::server::InProcess::new(operations);
        let mut console = Self::new(Arc::new(source), operations.has_authorizer());
        for set in operations.descriptor_sets() {
            console = console.file_descriptor_set(set)?;
        }
        Ok(console)
    }

    /// The console of the operations of a server elsewhere. Give it types with
    /// [`file_descriptor_set`](Self::file_descriptor_set), so that it decodes payloads.
    #[cfg(feature = "remote")]
    pub fn of_remote(remote: crate::source::remote::Remote) -> Self {
        let source = crate::source::remote::Elsewhere::new(remote);
        Self::new(Arc::new(source), false)
    }

    #[cfg_attr(
        not(any(feature = "server", feature = "remote")),
        expect(dead_code, reason = "a console without a source")
    )]
    pub(crate) fn new(source: Arc<dyn Source>, has_authorizer: bool) -> Self {
        let safety = Safety {
            any_host: has_authorizer,
            ..Safety::default()
        };
        Self {
            settings: Arc::new(Settings {
                source,
                types: types::standard(),
                title: String::new(),
                parent: ParentPattern::default(),
                is_read_only: false,
                has_authorizer,
                allows_anonymous: false,
                shows_requests: None,
                safety,
                door: None,
                sign_in: None,
            }),
        }
    }

    /// Adds types that payloads are decoded with: an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    ///
    /// If the bytes are not such a set, or its imports are missing.
    pub fn file_descriptor_set(mut self, encoded: &[u8]) -> Result<Self, InvalidDescriptorSet> {
        let added = lro_json::add_descriptor_set(&mut self.settings_mut().types, encoded);
        added.map_err(|error| InvalidDescriptorSet(error.to_string()))?;
        Ok(self)
    }

    /// A name for this installation, such as `exporter-prod`: it stands in the header and in the
    /// titles of pages.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.settings_mut().title = title.into();
        self
    }

    /// The parent whose operations are listed until a visitor names another one. Default: those
    /// without a parent. A wildcard stands for all: `users/-`.
    pub fn parent(mut self, parent: impl Into<ParentPattern>) -> Self {
        self.settings_mut().parent = parent.into();
        self
    }

    /// Whether the console only shows operations. Then the routes that change something do not
    /// exist. Default: false.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.settings_mut().is_read_only = read_only;
        self
    }

    /// Whether pages show the requests that have started operations, with fields marked
    /// `debug_redact` left out. `GetOperation` does not return requests, so by default they are shown
    /// only where no authorizer protects anything.
    pub fn show_requests(mut self, show: bool) -> Self {
        self.settings_mut().shows_requests = Some(show);
        self
    }

    /// Serves visitors that no authorizer knows, on any address and for any host: everyone who
    /// reaches the console may see, cancel and delete every operation. Without this call and without
    /// an authorizer, the console answers on loopback addresses only. Each start repeats it in the
    /// log.
    pub fn allow_anonymous(mut self) -> Self {
        let settings = self.settings_mut();
        settings.allows_anonymous = true;
        settings.safety.any_host = true;
        self
    }

    /// Answers requests for this host, with a port or for any: `ops.example`, `ops.example:8443`.
    /// From the first call on, only loopback hosts and allowed ones are answered.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.settings_mut().safety.hosts.allow(host);
        self
    }

    /// The origin under which visitors see the console, such as `https://ops.example`. It is needed
    /// behind a proxy that changes the host, for browsers that send no `Sec-Fetch-Site`.
    pub fn public_origin(mut self, origin: impl Into<String>) -> Self {
        self.settings_mut().safety.origins.push(origin.into());
        self
    }

    /// Opens the console to the one browser that follows a link, once: the console, and the link
    /// relative to its address. For a console that acts with the credentials of one person.
    ///
    /// ```
    /// # use lro_console::Console;
    /// # use lro_server::{Operations, lro_core::store::MemoryStore};
    /// # let operations = Operations::new(MemoryStore::new());
    /// # let console = Console::of_server(&operations).unwrap();
    /// let (console, link) = console.one_time_link();
    /// println!("open http://127.0.0.1:8080/{link}");
    /// # let _ = console;
    /// ```
    pub fn one_time_link(mut self) -> (Self, String) {
        let door = Door::new();
        let link = door.link();
        self.settings_mut().door = Some(Arc::new(door));
        (self, link)
    }

    /// Lets visitors sign in with a bearer token, as callers of the server send it. The browser keeps
    /// it in an HttpOnly cookie, sealed with a key of this process, until the `exp` of a JWT; then the
    /// console asks again, and leads back to the same view. A request that has an `authorization`
    /// header already keeps it. Browsers keep the cookie over TLS, and on this machine.
    ///
    /// With several processes, use [`sign_in_with_key`](Self::sign_in_with_key).
    pub fn sign_in(mut self) -> Self {
        self.settings_mut().sign_in = Some(SignIn::of_process());
        self
    }

    /// [`sign_in`](Self::sign_in), with the key that seals the cookies: random, secret, and the same in
    /// all processes that serve the console.
    pub fn sign_in_with_key(mut self, key: [u8; 32]) -> Self {
        self.settings_mut().sign_in = Some(SignIn::new(key));
        self
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Settings {
    /// Whether pages show requests.
    pub(crate) fn shows_requests(&self) -> bool {
        self.shows_requests.unwrap_or(!self.has_authorizer)
    }
}

impl<B> Service<Request<B>> for Console
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let settings = self.settings.clone();
        let is_head = request.method() == Method::HEAD;
        let answer = route::answer(settings, request.map(Body::new));
        Box::pin(async move {
            let mut response = secure(answer.await);
            if is_head {
                *response.body_mut() = Body::empty();
            }
            Ok(response)
        })
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("source", &self.settings.source)
            .field("title", &self.settings.title)
            .field("read_only", &self.settings.is_read_only)
            .finish_non_exhaustive()
    }
}

/// A descriptor set that cannot be used.
///
/// ```
/// use lro_console::Console;
/// # use lro_server::{Operations, lro_core::store::MemoryStore};
///
/// # let operations = Operations::new(MemoryStore::new());
/// # let console = Console::of_server(&operations).unwrap();
/// let error = console.file_descriptor_set(b"not a set").unwrap_err();
/// assert!(error.to_string().starts_with("not a usable descriptor set: "));
/// ```
#[derive(Debug)]
pub struct InvalidDescriptorSet(String);

impl fmt::Display for InvalidDescriptorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a usable descriptor set: {}", self.0)
    }
}

impl std::error::Error for InvalidDescriptorSet {}
