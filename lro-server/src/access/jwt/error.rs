use std::fmt;

/// The reason why a [`JwtAuthorizer`](super::JwtAuthorizer) cannot be built: a mistake in the
/// program.
///
/// ```
/// use lro_server::access::jwt::{JwtAuthorizer, JwtKeys};
///
/// let error = JwtAuthorizer::builder("https://issuer.example", "exporter", JwtKeys::new())
///     .algorithms([])
///     .build()
///     .unwrap_err();
/// assert!(error.to_string().contains("no algorithm"));
/// ```
pub struct BuildError {
    message: String,
}

impl BuildError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the JWT authorizer cannot be built: {}", self.message)
    }
}

// Readable, because it is what `main` prints when it returns one.
impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BuildError {}
