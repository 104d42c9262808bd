//! One command to the store.

use lro_core::{OperationStore, Refusal, StoreError, StoreErrorKind, Update, Updated};

/// Updates one operation. That another program has locked it is a failure which another try may not
/// meet.
pub(crate) async fn update_one(
    store: &dyn OperationStore,
    update: Update,
) -> Result<Result<Updated, Refusal>, StoreError> {
    let mut answers = store.update(vec![update]).await?;
    match answers.pop().unwrap_or(Err(Refusal::NotFound)) {
        Err(refusal @ Refusal::Locked) => Err(StoreError::new(
            StoreErrorKind::Unavailable,
            refusal.to_string(),
        )),
        answer => Ok(answer),
    }
}
