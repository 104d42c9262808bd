//! A page of a list, and where the list continues.

use uuid::Uuid;

use super::record::OperationRecord;
use crate::clock::Timestamp;

/// A part of a list.
///
/// ```
/// use lro_core::ParentName;
/// use lro_core::store::{ListQuery, MemoryStore, OperationStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), lro_core::store::StoreError> {
/// # let store = MemoryStore::new();
/// let mut query = ListQuery::new(ParentName::default(), 50);
/// loop {
///     let page = store.list(query.clone()).await?;
///     page.records.iter().for_each(|record| println!("{}", record.name));
///     query.after = page.next;
///     if query.after.is_none() {
///         break;
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The records, each its [public part](OperationRecord::public_part): a list reads neither
    /// requests nor checkpoints, which may be large.
    pub records: Vec<OperationRecord>,
    /// Where the next page begins, unless this was the end of the list.
    pub next: Option<PageCursor>,
}

/// The position where a list continues: behind this operation, in the order newest first.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::store::PageCursor;
///
/// let cursor = PageCursor { create_time: Timestamp::EPOCH, uid: uuid::Uuid::nil() };
/// assert_eq!(PageCursor::from_bytes(cursor.to_bytes()), cursor);
/// ```
///
/// A key, not an offset, so that operations which come or go meanwhile neither repeat nor hide
/// others. A store makes and reads it; the wire's page token wraps it. Greater ones are newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageCursor {
    /// When it was started.
    pub create_time: Timestamp,
    /// Which it is, of those that were started at the same time.
    pub uid: Uuid,
}

impl PageCursor {
    /// How many bytes it has.
    pub const LEN: usize = 24;

    /// Behind this operation.
    pub fn behind(record: &OperationRecord) -> Self {
        Self {
            create_time: record.create_time,
            uid: record.uid,
        }
    }

    /// As bytes.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.create_time.as_micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.uid.as_bytes());
        bytes
    }

    /// The cursor of its bytes.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, uid @ ..] = bytes;
        Self {
            create_time: Timestamp::from_micros(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
            uid: Uuid::from_bytes(uid),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// spec:2 spec:103
    #[test]
    fn lists_have_these_fields_and_no_others() {
        let pool = prost_reflect::DescriptorPool::decode(crate::pb::FILE_DESCRIPTOR_SET).unwrap();
        let fields = |message: &str| -> Vec<(String, u32)> {
            let name = format!("google.longrunning.{message}");
            let fields = pool.get_message_by_name(&name).unwrap();
            let fields = fields.fields();
            let mut fields: Vec<_> = fields
                .map(|it| (it.name().to_owned(), it.number()))
                .collect();
            fields.sort_by_key(|(_, number)| *number);
            fields
        };
        let wanted = |fields: &[(&str, u32)]| -> Vec<(String, u32)> {
            let fields = fields.iter();
            fields
                .map(|(name, number)| ((*name).to_owned(), *number))
                .collect()
        };
        let request = [
            ("filter", 1),
            ("page_size", 2),
            ("page_token", 3),
            ("name", 4),
            ("return_partial_success", 5),
        ];
        assert_eq!(fields("ListOperationsRequest"), wanted(&request));
        let response = [
            ("operations", 1),
            ("next_page_token", 2),
            ("unreachable", 3),
        ];
        assert_eq!(fields("ListOperationsResponse"), wanted(&response));
    }

    proptest! {
        #[test]
        fn cursors_go_through_bytes(micros: i64, uid: u128) {
            let cursor = PageCursor {
                create_time: Timestamp::from_micros(micros),
                uid: Uuid::from_u128(uid),
            };
            prop_assert_eq!(PageCursor::from_bytes(cursor.to_bytes()), cursor);
        }
    }
}
