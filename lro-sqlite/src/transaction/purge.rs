//! Removals of expired operations.

use lro_core::OperationName;
use lro_core::store::{OperationState, StoreEvent};
use uuid::Uuid;

use super::{Culprit, Failure, Transaction};

/// The largest number of free pages that a purge returns to the file system, and the number that it
/// keeps for new operations.
const FREED_PER_PURGE: i64 = 256;
const FREE_PAGES_KEPT: i64 = 4_096;

impl Transaction<'_> {
    /// Removes expired operations but corrupt ones; with `shrink` it gives free pages back to the
    /// file system, which other calls would have to wait for.
    pub(crate) fn purge(&mut self, limit: usize, shrink: bool) -> Result<usize, Failure> {
        let corrupt = self.corrupt;
        let skip = corrupt.expired();
        let expired = if corrupt.reads_one_by_one() {
            let mut uids = self.table.expired_uids(self.now, limit + skip.len())?;
            uids.retain(|uid| !skip.contains(uid));
            uids.truncate(limit);
            let mut expired = Vec::new();
            for uid in uids {
                let found = self.table.expired_row(&uid);
                let found = found.map_err(|fault| Failure::of(fault, || Culprit::Expired(uid)))?;
                expired.extend(found);
            }
            expired
        } else {
            let expired = self.table.expired(self.now, limit);
            expired.map_err(|fault| Failure::of(fault, || Culprit::AnyExpired))?
        };
        for (uid, name, state) in &expired {
            let removed = self.table.remove(uid);
            removed.map_err(|fault| Failure::of(fault, || Culprit::Expired(uid.clone())))?;
            let state = u8::try_from(*state).ok();
            let name = name.parse::<OperationName>();
            if let Ok(name) = &name {
                self.written.forget(name.clone());
            }
            // A corrupt row is removed too, without an event if its name is corrupt.
            if let (Ok(uid), Ok(name), Some(state)) = (
                Uuid::from_slice(uid),
                name,
                state.and_then(OperationState::from_number),
            ) {
                self.events.push(StoreEvent::removed(uid, name, state));
            }
        }
        if shrink && !expired.is_empty() {
            self.table.shrink(FREE_PAGES_KEPT, FREED_PER_PURGE)?;
        }
        Ok(expired.len())
    }
}
