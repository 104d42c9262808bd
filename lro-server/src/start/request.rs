//! A call of a long-running rpc, its messages packed: no longer generic over the method.

use lro_core::store::{OperationOutcome, StandardMetadata};
use lro_core::{
    LongRunningMethod, OperationName, ParentName, Reason, RequestFields, pack, pb, type_name,
};
use prost::Name;
use prost_types::Any;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status};
use uuid::Uuid;

use super::options::{Choices, StartOptions};
use crate::access::Caller;
use crate::handler::registration::MethodOptions;

/// The method of a start.
pub(super) struct Method {
    pub(super) path: &'static str,
    pub(super) standard_metadata: fn(&str) -> Option<StandardMetadata>,
    response_name: fn() -> String,
    empty_response: fn() -> Any,
}

impl Method {
    pub(super) const fn of<M: LongRunningMethod>() -> Self {
        Self {
            path: M::PATH,
            response_name: M::Response::full_name,
            empty_response: || pack(&M::Response::default()),
            standard_metadata: StandardMetadata::of::<M>,
        }
    }

    /// The response that `prepare` gave, if it is of the method's type.
    pub(super) fn checked_response(&self, response: Any) -> Result<OperationOutcome, Status> {
        let (found, expected) = (type_name(&response.type_url), (self.response_name)());
        if found != expected && expected != Any::full_name() {
            let message = format!("`prepare` gave a {found} as the response of a {expected}");
            return Err(Reason::HandlerMisbehaved.status(message, []));
        }
        Ok(OperationOutcome::Response(response))
    }

    /// The answer to a request with `validate_only` (AIP-163, AIP-151): done, with an empty response,
    /// and stored nowhere, so that it has no name.
    pub(super) fn validated(&self, metadata: Option<Any>) -> pb::Operation {
        pb::Operation {
            name: String::new(),
            metadata,
            done: true,
            result: Some(pb::operation::Result::Response((self.empty_response)())),
        }
    }
}

/// Where a call comes from.
pub(super) struct CallOrigin {
    pub(super) headers: MetadataMap,
    pub(super) extensions: Extensions,
}

impl CallOrigin {
    pub(super) fn caller<'a>(&'a self, rpc: &'a str) -> Caller<'a> {
        Caller::new(&self.headers, &self.extensions, rpc)
    }

    /// A header's text of at most 512 bytes, the W3C's bound for `traceparent` and `tracestate`;
    /// empty without one.
    pub(super) fn header(&self, name: &str) -> String {
        let text = self.headers.get(name).and_then(|value| value.to_str().ok());
        text.filter(|text| text.len() <= 512)
            .unwrap_or_default()
            .to_owned()
    }
}

/// The request and the options of one start.
pub(super) struct StartRequest {
    pub(super) method: &'static Method,
    pub(super) method_options: MethodOptions,
    pub(super) request: Any,
    /// The request's standard fields.
    pub(super) fields: RequestFields,
    pub(super) metadata: Option<Any>,
    pub(super) choices: Choices,
}

impl StartRequest {
    pub(super) fn pack<M: LongRunningMethod>(
        method: &'static Method,
        method_options: MethodOptions,
        request: &M::Request,
        options: StartOptions<M::Metadata>,
    ) -> Self {
        let fields = if method_options.standard_fields {
            M::request_fields(request)
        } else {
            RequestFields::default()
        };
        Self {
            method,
            method_options,
            request: pack(request),
            fields,
            metadata: options.metadata.as_ref().map(pack),
            choices: options.choices,
        }
    }

    /// The same with a request id and a label of its own, if it starts an operation again.
    #[cfg(feature = "inspection")]
    pub(super) fn resubmitted(mut self, from: Option<&crate::inspection::Resubmission>) -> Self {
        if let Some(resubmission) = from {
            self.choices.request_id = Some(resubmission.request_id.clone());
            self.choices.labels.extend([resubmission.label()]);
        }
        self
    }

    /// The name that the options choose, or one with this uid as its id.
    pub(super) fn operation_name(&self, uid: Uuid) -> Result<OperationName, Status> {
        let root = ParentName::default();
        let parent = self.choices.parent.as_ref().unwrap_or(&root);
        let name = match &self.choices.operation_id {
            Some(id) => OperationName::new(parent, id),
            None => OperationName::new(parent, &uid.to_string()),
        };
        let invalid = |text: String| Reason::InvalidField.field_status("operation_id", text);
        let name = name.map_err(|error| invalid(error.to_string()))?;
        match name.is_watch() {
            true => Err(invalid(format!(
                "`{name}` is a name of the server's own operations"
            ))),
            false => Ok(name),
        }
    }
}
