use prost::{Message, Name};

/// One long-running rpc, as a type.
///
/// `lro_build` writes an implementation for each rpc that carries
/// `google.longrunning.operation_info`; it is what ties the proto, the handler and the caller
/// together at compile time.
///
/// ```
/// use lro_core::LongRunningMethod;
///
/// // What `lro_build` writes for `rpc Export(..)` of `exporter.v1.Exporter`:
/// enum Export {}
/// impl LongRunningMethod for Export {
///     type Request = ();
///     type Response = ();
///     type Metadata = ();
///     const PATH: &'static str = "/exporter.v1.Exporter/Export";
/// }
/// assert_eq!(Export::service(), "exporter.v1.Exporter");
/// ```
pub trait LongRunningMethod: Send + Sync + 'static {
    /// The rpc's request.
    type Request: Message + Name + Default + 'static;
    /// `operation_info.response_type`: what a successful operation holds.
    type Response: Message + Name + Default + 'static;
    /// `operation_info.metadata_type`: what describes the operation's progress.
    type Metadata: Message + Name + Default + 'static;
    /// The rpc's gRPC path, `/package.Service/Method`.
    const PATH: &'static str;

    /// The full name of the service, taken from [`PATH`](Self::PATH).
    fn service() -> &'static str {
        Self::PATH
            .trim_start_matches('/')
            .rsplit_once('/')
            .map_or("", |(service, _)| service)
    }
}

/// Says that `Self` is the request type of the rpc `M`.
///
/// Only `lro_build` implements it; it exists so that the compiler can name the mistake.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the request type of this rpc",
    label = "the proto declares another request type",
    note = "the handler takes the plain request message: `request: <the rpc's request type>`"
)]
pub trait RequestOf<M>: Message + Name + Default + 'static {}

/// Says that `Self` is the response type which the proto's `operation_info` names for the rpc `M`.
///
/// Only `lro_build` implements it; it exists so that the compiler can name the mistake.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the response type that the proto's operation_info names",
    label = "the proto's operation_info names another response type",
    note = "change the handler, or `response_type` in the rpc's `option (google.longrunning.operation_info)`"
)]
pub trait ResponseOf<M>: Message + Name + Default + 'static {}

/// Says that `Self` is the metadata type which the proto's `operation_info` names for the rpc `M`.
///
/// Only `lro_build` implements it; it exists so that the compiler can name the mistake.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the metadata type that the proto's operation_info names",
    label = "the proto's operation_info names another metadata type",
    note = "change the handler, or `metadata_type` in the rpc's `option (google.longrunning.operation_info)`"
)]
pub trait MetadataOf<M>: Message + Name + Default + 'static {}
