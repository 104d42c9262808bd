//! The route of an HTTP request.

use std::sync::Arc;

/// The route that answered an HTTP request, such as `/v1/{name=operations/**}`: for metrics and traces.
///
/// A gateway puts it into the extensions of its response, and the server that serves the gateway reads
/// it there. A cheap clone.
///
/// ```
/// use lro_core::HttpRoute;
///
/// let route = HttpRoute::new("/v1/{name=operations/**}:cancel");
/// assert_eq!(route.as_str(), "/v1/{name=operations/**}:cancel");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRoute(Arc<str>);

impl HttpRoute {
    /// A route with this template.
    pub fn new(template: impl Into<Arc<str>>) -> Self {
        Self(template.into())
    }

    /// The template.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
