//! An operation as JSON, as `GetOperation` over HTTP returns it, with redacted fields.

use bytes::Bytes;
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, Response};
use lro_core::pb;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use tonic::Status;
use tonic::body::Body;

use crate::answer;
use crate::page::{fault, operation};
use crate::route::Visit;

/// The document.
pub(crate) async fn operation(visit: &Visit) -> Response<Body> {
    let json = match operation::name_of(&visit.query) {
        Ok(name) => {
            let view = visit.settings.source.get(&visit.visitor, &name).await;
            view.and_then(|view| json(visit, &view.operation))
        }
        Err(status) => Err(status),
    };
    let json = match json {
        Ok(json) => json,
        Err(status) => return fault::show(visit, &status).await,
    };
    let mut response = answer::whole("application/json", Bytes::from(json), &visit.headers);
    let attachment = HeaderValue::from_static("attachment; filename=\"operation.json\"");
    let headers = response.headers_mut();
    headers.insert(CONTENT_DISPOSITION, attachment);
    response
}

fn json(visit: &Visit, operation: &pb::Operation) -> Result<String, Status> {
    let types = &visit.settings.types;
    let internal = |text: String| Status::internal(format!("cannot write JSON: {text}"));
    let descriptor = types.get_message_by_name("google.longrunning.Operation");
    let descriptor = descriptor.ok_or_else(|| internal("google.longrunning is missing".into()))?;
    let message = DynamicMessage::decode(descriptor, &*operation.encode_to_vec());
    let message = message.map_err(|error| internal(error.to_string()))?;
    let options = lro_json::WriteOptions::new().pretty(true).redact(true);
    let written = options.types(types.clone()).write(&message);
    written
        .map(|written| written.json)
        .map_err(|error| internal(error.to_string()))
}
