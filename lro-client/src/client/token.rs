use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};

/// The scopes of OAuth 2.0 that a token for `google.longrunning.Operations` needs by default.
///
/// ```
/// assert_eq!(lro_client::DEFAULT_SCOPES, ["https://www.googleapis.com/auth/cloud-platform"]);
/// ```
pub const DEFAULT_SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];

/// Where the tokens come from that a client shows with each call.
///
/// ```
/// use lro_client::{OperationsClient, TokenProvider};
/// use tonic::Status;
///
/// struct FromEnvironment;
///
/// #[tonic::async_trait]
/// impl TokenProvider for FromEnvironment {
///     async fn token(&self, _scopes: &[&str]) -> Result<String, Status> {
///         std::env::var("ACCESS_TOKEN").map_err(|_| Status::unauthenticated("no ACCESS_TOKEN"))
///     }
/// }
/// # fn example(operations: OperationsClient) {
/// let operations = operations.with_token_provider(FromEnvironment);
/// # }
/// ```
///
/// It is asked before every try of every call, by many calls at once, so it keeps what it has
/// fetched until that expires.
#[tonic::async_trait]
pub trait TokenProvider: Send + Sync + 'static {
    /// A token that is valid now, without the word `Bearer`.
    ///
    /// `scopes` are what [`with_scopes`](crate::OperationsClient::with_scopes) says, or
    /// [`DEFAULT_SCOPES`].
    ///
    /// # Errors
    ///
    /// The call fails with this status, without being sent; UNAVAILABLE is tried again like a
    /// call's.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the call is dropped or its time is up.
    async fn token(&self, scopes: &[&str]) -> Result<String, Status>;
}

/// The header, which logs do not show.
pub(super) fn bearer(token: &str) -> Result<MetadataValue<Ascii>, Status> {
    let mut value = MetadataValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Status::unauthenticated("the token provider gave no valid header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown_and_not_split() {
        let value = bearer("s3cret").unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer s3cret");
        assert!(!format!("{value:?}").contains("s3cret"));
        let error = bearer("s3cret\r\nx: y").unwrap_err();
        assert!(!error.to_string().contains("s3cret"));
    }
}
