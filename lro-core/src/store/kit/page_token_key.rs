use crate::store::{StoreError, StoreErrorKind};

/// Creates a random key for [`OperationStore::page_token_key`](crate::store::OperationStore::page_token_key).
///
/// A store calls it once, and keeps the key with its operations.
///
/// ```
/// use lro_core::store::kit::new_page_token_key;
///
/// let key = new_page_token_key()?;
/// assert_ne!(key, new_page_token_key()?);
/// # Ok::<(), lro_core::store::StoreError>(())
/// ```
///
/// # Errors
///
/// UNAVAILABLE ([`StoreErrorKind::Unavailable`]) if the operating system provides no random numbers.
pub fn new_page_token_key() -> Result<[u8; 32], StoreError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|source| {
        let message = "cannot create a page token key: no random numbers";
        StoreError::new(StoreErrorKind::Unavailable, message).with_source(source.to_string())
    })?;
    Ok(key)
}
