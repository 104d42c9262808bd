//! The OpenAPI document of a gateway.

mod comments;
mod document;
mod field;
mod operation;
mod path;
mod schema;
#[cfg(test)]
mod tests;
mod well_known;

use std::sync::{Arc, OnceLock};

use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorSet;

use crate::body::Body;
use crate::fault::Fault;
use crate::reply::{compressed, entity_tag, is_among};
use crate::router::Router;
use crate::rules::{Binding, BuildError};

/// The path of the document.
pub(crate) const PATH: &str = "/openapi.json";

/// The texts of the OpenAPI document that a gateway serves at `/openapi.json`.
///
/// ```
/// use lro_gateway::{Gateway, OpenApi};
/// use tonic::service::Routes;
///
/// let gateway = Gateway::builder(Routes::default())
///     .file_descriptor_set(lro_core::pb::FILE_DESCRIPTOR_SET)
///     .openapi(OpenApi::new().title("Exporter").version("1.4.0"))
///     .build()?;
/// let document = gateway.openapi_json().unwrap_or_default();
/// assert!(document.contains(r#""/v1/operations/{operation}:cancel""#));
/// # Ok::<(), lro_gateway::BuildError>(())
/// ```
///
/// The document is OpenAPI 3.1 and describes the bindings that the gateway serves, with ProtoJSON as the
/// gateway writes it. Comments of the protos are its descriptions where a descriptor set has them:
/// [`comments`](Self::comments).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct OpenApi {
    title: Option<String>,
    version: Option<String>,
    description: Option<String>,
    server_url: Option<String>,
    comments: Vec<Vec<u8>>,
}

impl OpenApi {
    /// A title and a version that are made of the services' packages, no description, and the base path
    /// as the URL of the server.
    pub fn new() -> Self {
        Self::default()
    }

    /// The title of the API. Default: the packages of its services.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The version of the API, in whatever form. Default: the last part of the packages, such as `v1`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// An introduction, in Markdown.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The URL that the paths are below, for a gateway behind a proxy. Default: the
    /// [base path](crate::GatewayBuilder::base_path), or `/` without one.
    pub fn server_url(mut self, url: impl Into<String>) -> Self {
        self.server_url = Some(url.into());
        self
    }

    /// An encoded `FileDescriptorSet` with the comments of the protos, which are descriptions in the document:
    /// what `lro_build`'s `Builder::comments_path` writes, or `protoc --include_source_info`. Further calls
    /// add further sets. A set that cannot be read is an error of
    /// [`GatewayBuilder::build`](crate::GatewayBuilder::build).
    pub fn comments(mut self, encoded: impl Into<Vec<u8>>) -> Self {
        self.comments.push(encoded.into());
        self
    }
}

/// The document, written when it is first asked for.
pub(crate) struct Document {
    texts: OpenApi,
    written: OnceLock<Written>,
}

struct Written {
    json: String,
    tag: String,
}

impl Document {
    pub(crate) fn new(mut texts: OpenApi, base_path: String) -> Result<Self, BuildError> {
        for set in &texts.comments {
            FileDescriptorSet::decode(&**set).map_err(|error| {
                BuildError::new(format!("the comments are no descriptor set: {error}"))
            })?;
        }
        if texts.server_url.is_none() && !base_path.is_empty() {
            texts.server_url = Some(base_path);
        }
        Ok(Self {
            texts,
            written: OnceLock::new(),
        })
    }

    pub(crate) fn json(&self, router: &Router<Arc<Binding>>, types: &DescriptorPool) -> &str {
        &self.written(router, types).json
    }

    pub(crate) fn tag(&self, router: &Router<Arc<Binding>>, types: &DescriptorPool) -> &str {
        &self.written(router, types).tag
    }

    fn written(&self, router: &Router<Arc<Binding>>, types: &DescriptorPool) -> &Written {
        self.written.get_or_init(|| {
            let json = document::write(&self.texts, router, types).to_string();
            let tag = entity_tag(&json);
            Written { json, tag }
        })
    }
}

/// Answers a request for the document.
pub(crate) fn answer(
    method: &Method,
    request: &HeaderMap,
    tag: &str,
    json: &str,
) -> Result<Response<Body>, Fault> {
    if *method != Method::GET && *method != Method::HEAD {
        return Err(Fault::other_methods("GET, HEAD, OPTIONS".to_owned()));
    }
    let mut response = if is_among(tag, request) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = compressed(json.to_owned().into(), request);
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    };
    if let Ok(tag) = tag.parse() {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}
