//! The count of values whose types a gateway does not know.

use std::fmt;
use std::sync::Arc;

use crate::http_route::HttpRoute;

/// Counts the values of `google.protobuf.Any` that a gateway wrote as base64, since it does not know
/// their types or cannot decode their bytes.
///
/// A server puts it into the extensions of the HTTP requests that it passes on, and a gateway reports
/// there. A cheap clone.
///
/// ```
/// use lro_core::{HttpRoute, UnknownTypes};
///
/// let unknown = UnknownTypes::new(|route, count| println!("{count} at {}", route.as_str()));
/// unknown.count(&HttpRoute::new("/v1/{name=operations}"), 2);
/// ```
#[derive(Clone)]
pub struct UnknownTypes(Arc<Count>);

type Count = dyn Fn(&HttpRoute, usize) + Send + Sync;

impl UnknownTypes {
    /// Calls this with the route that answers a request, and the number of values in its answer. A
    /// stream reports each message that has any.
    pub fn new(count: impl Fn(&HttpRoute, usize) + Send + Sync + 'static) -> Self {
        Self(Arc::new(count))
    }

    /// Counts values.
    pub fn count(&self, route: &HttpRoute, count: usize) {
        (self.0)(route, count);
    }
}

impl fmt::Debug for UnknownTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnknownTypes")
    }
}
