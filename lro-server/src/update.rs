//! One command to the store.

use lro_core::{OperationStore, Refusal, StoreError, StoreErrorKind, Update, Updated};

/// Updates one operation. That another program has locked it, or that it is damaged, is a failure.
pub(crate) async fn update_one(
    store: &dyn OperationStore,
    update: Update,
) -> Result<Result<Updated, Refusal>, StoreError> {
    let mut answers = store.update(vec![update]).await?;
    let answer = answers.pop().unwrap_or(Err(Refusal::NotFound));
    let kind = match &answer {
        Err(Refusal::Locked) => StoreErrorKind::Unavailable,
        Err(Refusal::Damaged(_)) => StoreErrorKind::Corrupt,
        _ => return Ok(answer),
    };
    answer
        .map(Ok)
        .map_err(|refusal| StoreError::new(kind, refusal.to_string()))
}
