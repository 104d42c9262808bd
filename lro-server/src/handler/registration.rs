//! The registration that `#[long_running]` writes: a service's long-running methods, and how to run them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use lro_core::{LongRunningMethod, MetadataOf, Reason, RequestOf, ResponseOf, UnpackError};
use prost_types::Any;

use crate::handler::context::OperationContext;
use crate::handler::error::{HandlerError, IntoHandlerError};
pub use crate::handler::method_options::{MethodOptions, OnDelete};
use crate::handler::run::Run;

/// A service with long-running methods. Written by `#[long_running]`, for each service `S` that a
/// type implements (`S` is the generated `ExporterServer<Self>`).
///
/// ```
/// use std::sync::Arc;
/// use lro_server::registration::Host;
/// use lro_server::{Operations, Worker, WorkerBuilder};
///
/// /// Any service with `#[long_running]` methods can be hosted.
/// fn worker<S, H: Host<S>>(operations: &Operations, service: Arc<H>) -> WorkerBuilder {
///     Worker::builder(operations).host(service)
/// }
/// ```
pub trait Host<S>: Sized + Send + Sync + 'static {
    /// Registers the methods and their bodies.
    fn register(registration: &mut Registration<Self>);
}

/// Collects the long-running methods of a service.
///
/// ```
/// use std::sync::Arc;
/// use lro_server::lro_core::{LongRunningMethod, MetadataOf, RequestOf, ResponseOf};
/// use lro_server::registration::{Host, MethodOptions, Registration};
/// use lro_server::OperationContext;
/// use tonic::Status;
///
/// # enum Export {}
/// # impl LongRunningMethod for Export {
/// #     type Request = ();
/// #     type Response = ();
/// #     type Metadata = ();
/// #     const PATH: &'static str = "/exporter.v1.Exporter/Export";
/// # }
/// # impl RequestOf<Export> for () {}
/// # impl ResponseOf<Export> for () {}
/// # impl MetadataOf<Export> for () {}
/// # enum ExporterServer {}
/// struct Exporter;
///
/// impl Host<ExporterServer> for Exporter {
///     fn register(registration: &mut Registration<Self>) {
///         registration.method::<Export, _, _, _, _, _, _>(
///             MethodOptions::new(),
///             |_: Arc<Self>, (): (), _: OperationContext<()>| async { Ok::<(), Status>(()) },
///         );
///     }
/// }
/// ```
pub struct Registration<H> {
    methods: Vec<HostMethod<H>>,
}

impl<H: Send + Sync + 'static> Registration<H> {
    /// The methods of the service `S`, as `H` implements it.
    pub(crate) fn of<S>() -> Vec<HostMethod<H>>
    where
        H: Host<S>,
    {
        let mut registration = Self {
            methods: Vec::new(),
        };
        H::register(&mut registration);
        registration.methods
    }

    /// Adds the method `M`, whose body takes a request `Q` and a context for the metadata `D`, and
    /// returns a response `R`.
    pub fn method<M, Q, R, D, F, Fut, E>(&mut self, options: MethodOptions, body: F)
    where
        M: LongRunningMethod,
        Q: RequestOf<M>,
        R: ResponseOf<M>,
        D: MetadataOf<M>,
        F: Fn(Arc<H>, Q, OperationContext<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        E: IntoHandlerError,
    {
        let body = move |host, mut attempt: Attempt| -> BodyFuture {
            let body = match attempt.request(Q::unpack) {
                Ok(request) => body(host, request, OperationContext::new(attempt.run)),
                Err(error) => return Box::pin(std::future::ready(Err(error))),
            };
            Box::pin(async move {
                match body.await {
                    Ok(response) => Ok(response.pack()),
                    Err(error) => Err(error.into_handler_error()),
                }
            })
        };
        self.add::<M>(options, Arc::new(body));
    }

    /// Adds the method `M`, whose body works on stored messages. `#[long_running]` generates this
    /// call, so that compiler errors point at the user's types and do not mention this function.
    #[doc(hidden)]
    pub fn body<M: LongRunningMethod>(
        &mut self,
        options: MethodOptions,
        body: fn(Arc<H>, Attempt) -> BodyFuture,
    ) {
        self.add::<M>(options, Arc::new(body));
    }

    fn add<M: LongRunningMethod>(&mut self, options: MethodOptions, body: HostBody<H>) {
        self.methods.push(HostMethod {
            path: M::PATH,
            options,
            body,
        });
    }
}

impl<H> fmt::Debug for Registration<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.methods.iter().map(|method| method.path);
        f.debug_list().entries(paths).finish()
    }
}

/// A running body, which returns the packed response.
#[doc(hidden)]
pub type BodyFuture = Pin<Box<dyn Future<Output = Result<Any, HandlerError>> + Send>>;

type HostBody<H> = Arc<dyn Fn(Arc<H>, Attempt) -> BodyFuture + Send + Sync>;

/// One run of a body: the stored request, and what makes its context.
#[doc(hidden)]
pub struct Attempt {
    request: Any,
    run: Arc<Run>,
}

impl Attempt {
    /// Takes the request out.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn request<Q>(
        &mut self,
        unpack: fn(&Any) -> Result<Q, UnpackError>,
    ) -> Result<Q, HandlerError> {
        let request = std::mem::take(&mut self.request);
        unpack(&request).map_err(|error| {
            let message = format!("the stored request cannot be read: {error}");
            HandlerError::from(Reason::PayloadUnreadable.status(message, []))
        })
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}

/// Says that `Self` is the context of an operation with the metadata `D`. It exists so that the
/// compiler can name the mistake.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "an operation takes the request, then `OperationContext<{D}>`; this handler takes `{Self}`",
    label = "expected `OperationContext<{D}>`"
)]
pub trait ContextOf<D> {
    /// The context of a run.
    fn of(attempt: Attempt) -> Self;
}

#[diagnostic::do_not_recommend]
impl<D> ContextOf<D> for OperationContext<D> {
    fn of(attempt: Attempt) -> Self {
        Self::new(attempt.run)
    }
}

/// The return type of a `prepare` function. It exists so that the compiler can name the mistake.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a `prepare` function is async; this one returns `{Self}`",
    label = "not an `async fn`"
)]
pub trait Prepare: Sized {
    /// The same.
    #[must_use]
    fn prepare(self) -> Self {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<F: Future> Prepare for F {}

/// The options of the methods of the service `S`, as `H` implements it.
pub(crate) fn methods_of<H: Host<S>, S>() -> Vec<(&'static str, MethodOptions)> {
    let methods = Registration::<H>::of::<S>().into_iter();
    methods
        .map(|method| (method.path, method.options))
        .collect()
}

/// A method of a host.
pub(crate) struct HostMethod<H> {
    pub(crate) path: &'static str,
    pub(crate) options: MethodOptions,
    body: HostBody<H>,
}

impl<H: Send + Sync + 'static> HostMethod<H> {
    /// The method with its host inside.
    pub(crate) fn hosted_by(self, host: Arc<H>) -> HostedMethod {
        let body = self.body;
        HostedMethod {
            path: self.path,
            options: self.options,
            body: Box::new(move |request, run| {
                let attempt = Attempt { request, run };
                body(host.clone(), attempt)
            }),
        }
    }
}

/// A method that a worker can run.
pub(crate) struct HostedMethod {
    pub(crate) path: &'static str,
    pub(crate) options: MethodOptions,
    pub(crate) body: Box<dyn Fn(Any, Arc<Run>) -> BodyFuture + Send + Sync>,
}

impl fmt::Debug for HostedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)
    }
}
