use prost::{Message, Name};
use prost_types::Any;

use crate::payload::{UnpackError, pack, unpack};

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
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for a long-running rpc",
    label = "no long-running rpc",
    note = "the types in the modules `.._methods` that lro-build generates do"
)]
pub trait LongRunningMethod: Send + Sync + 'static {
    /// The rpc's request.
    type Request: Message + Name + Default + 'static;
    /// `operation_info.response_type`: what a successful operation holds.
    type Response: Message + Name + Default + 'static;
    /// `operation_info.metadata_type`: what describes the operation's progress.
    type Metadata: Message + Name + Default + 'static;
    /// The rpc's gRPC path, `/package.Service/Method`.
    const PATH: &'static str;
    /// The fields of the metadata message that the engine fills in by itself.
    const METADATA_FIELDS: MetadataFields = MetadataFields::NONE;
    /// The verb of the rpc for metadata: `create` for `CreateShelf`, `batchCreate` for
    /// `BatchCreateShelves`. Empty if unspecified.
    const VERB: &'static str = "";
    /// The last segment of the rpc's package, when it is a version such as `v1` or `v2beta1`, or
    /// else empty.
    const API_VERSION: &'static str = "";

    /// The values of the standard fields that the request declares.
    fn request_fields(_request: &Self::Request) -> RequestFields {
        RequestFields::default()
    }

    /// The full name of the service, taken from [`PATH`](Self::PATH).
    fn service() -> &'static str {
        Self::PATH
            .trim_start_matches('/')
            .rsplit_once('/')
            .map_or("", |(service, _)| service)
    }
}

/// Says that requests of the rpc tell what the operation is done to or below, so that the
/// operation's parent can be taken from there.
///
/// ```
/// use lro_core::{LongRunningMethod, RequestFields, Targeted};
///
/// fn parent_of<M: Targeted>(request: &M::Request) -> String {
///     M::request_fields(request).target
/// }
/// ```
///
/// `lro_build` implements it where [`RequestFields::target`] is declared.
#[diagnostic::on_unimplemented(
    message = "the request of `{Self}` has no `parent` and no `name` that an operation's parent could be taken from",
    label = "no `parent` and no `name` in the request",
    note = "leave `parent` out, or write `parent = \"\"` on the method if it stands on the impl; a `prepare` function can set a parent"
)]
pub trait Targeted: LongRunningMethod {
    /// The field that [`RequestFields::target`] is read from: `parent`, `name`, or the name of an
    /// updated resource such as `shelf.name`.
    const TARGET_FIELD: &'static str;
}

/// The standard fields of a request, by their AIP.
///
/// ```
/// use lro_core::RequestFields;
///
/// let fields = RequestFields { request_id: "9f3c".into(), ..RequestFields::default() };
/// assert!(!fields.validate_only && fields.target.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFields {
    /// `string request_id` (AIP-155): makes a repeated start return the first operation. Empty
    /// counts as none.
    pub request_id: String,
    /// `bool validate_only` (AIP-163): validate the request, but start nothing.
    pub validate_only: bool,
    /// The resource that the operation changes, or its parent: `string parent` (AIP-133), or else
    /// `string name` (AIP-135), or the `name` of the resource in an update (AIP-134).
    pub target: String,
}

/// The numbers of the standard fields that a metadata message declares, as in Google's
/// `OperationMetadata` messages, and that the engine therefore fills in; 0 for a missing field.
///
/// ```
/// use lro_core::MetadataFields;
///
/// // The message declares `google.protobuf.Timestamp create_time = 1` only.
/// let fields = MetadataFields { create_time: 1, ..MetadataFields::NONE };
/// assert_eq!(fields.end_time, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetadataFields {
    /// `google.protobuf.Timestamp create_time`.
    pub create_time: u32,
    /// `google.protobuf.Timestamp start_time`: when the body first ran.
    pub start_time: u32,
    /// `google.protobuf.Timestamp update_time`.
    pub update_time: u32,
    /// `google.protobuf.Timestamp end_time`.
    pub end_time: u32,
    /// `string target`: what the request's `name` or `parent` says.
    pub target: u32,
    /// `string verb`: the rpc's verb, `create` for `CreateShelf`.
    pub verb: u32,
    /// `string api_version`: the last segment of the rpc's package, when it is a version.
    pub api_version: u32,
    /// `bool requested_cancellation`, or `cancel_requested`.
    pub requested_cancellation: u32,
    /// `string current_step`: the key of the durable call that the body makes, or that a suspended operation waits
    /// for.
    pub current_step: u32,
    /// `string waiting_for`: what a suspended operation waits for, such as `promise:approved`.
    pub waiting_for: u32,
    /// `int32 steps_done`: how many durable calls are recorded and not waited for, without sagas and undos.
    pub steps_done: u32,
    /// `string blocked_reason`: why the code does not fit the recorded steps.
    pub blocked_reason: u32,
}

impl MetadataFields {
    /// The metadata declares none of them.
    pub const NONE: Self = Self {
        create_time: 0,
        start_time: 0,
        update_time: 0,
        end_time: 0,
        target: 0,
        verb: 0,
        api_version: 0,
        requested_cancellation: 0,
        current_step: 0,
        waiting_for: 0,
        steps_done: 0,
        blocked_reason: 0,
    };
}

/// Says that `Self` is the request type of the rpc `M`, which `Expected` is.
///
/// ```
/// use lro_core::{LongRunningMethod, RequestOf};
///
/// # enum Export {}
/// # impl LongRunningMethod for Export {
/// #     type Request = ();
/// #     type Response = ();
/// #     type Metadata = ();
/// #     const PATH: &'static str = "/exporter.v1.Exporter/Export";
/// # }
/// // Generated for the request type of `Export`, here `google.protobuf.Empty`.
/// impl RequestOf<Export> for () {}
///
/// fn takes_request_of_export(_request: impl RequestOf<Export>) {}
/// takes_request_of_export(());
/// ```
///
/// Only `lro_build` implements it; it exists so that the compiler can name the mistake.
#[diagnostic::on_unimplemented(
    message = "the proto says that `{M}` takes `{Expected}`; this handler takes `{Self}`",
    label = "expected `{Expected}`",
    note = "the handler takes the plain request message of its rpc"
)]
pub trait RequestOf<M: LongRunningMethod, Expected = <M as LongRunningMethod>::Request>:
    Message + Name + Default + 'static
{
    /// Reads a stored request.
    ///
    /// # Errors
    ///
    /// If it has another type, or does not decode.
    #[doc(hidden)]
    fn unpack(request: &Any) -> Result<Self, UnpackError> {
        unpack(request)
    }
}

/// Says that `Self` is the response type which the proto's `operation_info` names for the rpc `M`,
/// which `Expected` is; where that is `google.protobuf.Any`, one of several.
///
/// ```
/// use lro_core::{LongRunningMethod, ResponseOf};
///
/// # enum Export {}
/// # impl LongRunningMethod for Export {
/// #     type Request = ();
/// #     type Response = ();
/// #     type Metadata = ();
/// #     const PATH: &'static str = "/exporter.v1.Exporter/Export";
/// # }
/// // Generated for the response type of `Export`, here `google.protobuf.Empty`.
/// impl ResponseOf<Export> for () {}
///
/// fn takes_response_of_export(_response: impl ResponseOf<Export>) {}
/// takes_response_of_export(());
/// ```
///
/// Only `lro_build` implements it; it exists so that the compiler can name the mistake.
#[diagnostic::on_unimplemented(
    message = "the proto's operation_info says `{Expected}`; this handler returns `{Self}`",
    label = "expected `{Expected}`",
    note = "change the handler, or `response_type` in the operation_info of `{M}`"
)]
pub trait ResponseOf<M: LongRunningMethod, Expected = <M as LongRunningMethod>::Response>:
    Message + Name + Default + 'static
{
    /// There where it compiles.
    #[doc(hidden)]
    const DECLARED: () = ();

    /// The response as it is stored.
    #[doc(hidden)]
    fn pack(&self) -> Any {
        pack(self)
    }
}

/// Says that `Self` is the metadata type which the proto's `operation_info` names for the rpc `M`,
/// which `Expected` is; where that is `google.protobuf.Any`, one of several.
///
/// ```
/// use lro_core::{LongRunningMethod, MetadataOf};
///
/// # enum Export {}
/// # impl LongRunningMethod for Export {
/// #     type Request = ();
/// #     type Response = ();
/// #     type Metadata = ();
/// #     const PATH: &'static str = "/exporter.v1.Exporter/Export";
/// # }
/// // Generated for the metadata type of `Export`, here `google.protobuf.Empty`.
/// impl MetadataOf<Export> for () {}
///
/// fn takes_metadata_of_export(_metadata: impl MetadataOf<Export>) {}
/// takes_metadata_of_export(());
/// ```
///
/// Only `lro_build` implements it; it exists so that the compiler can name the mistake.
#[diagnostic::on_unimplemented(
    message = "the proto's operation_info says `{Expected}`; this handler's metadata is `{Self}`",
    label = "expected `{Expected}`",
    note = "change the handler, or `metadata_type` in the operation_info of `{M}`"
)]
pub trait MetadataOf<M: LongRunningMethod, Expected = <M as LongRunningMethod>::Metadata>:
    Message + Name + Default + 'static
{
    /// There where it compiles.
    #[doc(hidden)]
    const DECLARED: () = ();
}
