//! The page tokens of lists whose entries are numbered.

use lro_core::Timestamp;
use lro_core::store::PageCursor;
use tonic::Status;
use uuid::Uuid;

use super::Operations;

/// A list whose entries are numbered from 1, in order. A token of it is good for no other list.
pub(crate) struct SequenceList<'a> {
    operations: &'a Operations,
    identity: &'a [&'a str],
}

impl<'a> SequenceList<'a> {
    pub(crate) fn new(operations: &'a Operations, identity: &'a [&'a str]) -> Self {
        Self {
            operations,
            identity,
        }
    }

    /// The number behind which a page continues; 0 without a token.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT when the token is garbled, of another list, or too old.
    pub(crate) async fn open(&self, token: &str) -> Result<u64, Status> {
        if token.is_empty() {
            return Ok(0);
        }
        let tokens = self.operations.page_tokens().await?;
        let cursor = tokens.open(token, self.identity, self.now())?;
        Ok(u64::try_from(cursor.create_time.as_micros()).unwrap_or_default())
    }

    /// The token of the page behind this number; empty without one.
    pub(crate) async fn seal(&self, behind: Option<u64>) -> Result<String, Status> {
        let Some(number) = behind else {
            return Ok(String::new());
        };
        let cursor = PageCursor {
            create_time: Timestamp::from_micros(i64::try_from(number).unwrap_or(i64::MAX)),
            uid: Uuid::nil(),
        };
        let tokens = self.operations.page_tokens().await?;
        Ok(tokens.seal(cursor, self.identity, self.now()))
    }

    fn now(&self) -> Timestamp {
        self.operations.engine().clock().now()
    }
}
