//! One command to the store.

use lro_core::store::{OperationStore, Refusal, StoreError, StoreErrorKind, Update, Updated};

/// The failure that a refusal is: that another program has locked the operation, which another try may
/// not meet, or that it is corrupt.
pub(crate) fn failure(refusal: &Refusal) -> Option<StoreError> {
    let kind = match refusal {
        Refusal::Locked => StoreErrorKind::Unavailable,
        Refusal::Corrupt(_) => StoreErrorKind::Corrupt,
        _ => return None,
    };
    Some(StoreError::new(kind, refusal.to_string()))
}

/// Updates one operation.
pub(crate) async fn update_one(
    store: &dyn OperationStore,
    update: Update,
) -> Result<Result<Updated, Refusal>, StoreError> {
    let mut answers = store.update(vec![update]).await?;
    let answer = answers.pop().unwrap_or(Err(Refusal::NotFound));
    match answer.as_ref().err().and_then(failure) {
        Some(failure) => Err(failure),
        None => Ok(answer),
    }
}
