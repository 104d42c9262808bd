use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ArchiveId;

/// The archives that are being changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Reservations {
    taken: Arc<Mutex<HashSet<ArchiveId>>>,
}

impl Reservations {
    pub(super) fn reserve(&self, id: &ArchiveId) -> Option<Reservation> {
        let free = self.lock().insert(id.clone());
        free.then(|| Reservation {
            id: id.clone(),
            reservations: self.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<ArchiveId>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to change one archive, released when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    id: ArchiveId,
    reservations: Reservations,
}

impl Reservation {
    /// Which archive.
    pub(crate) fn id(&self) -> &ArchiveId {
        &self.id
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.reservations.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let reservations = Reservations::default();
        let id = ArchiveId::new("a").unwrap();
        let first = reservations.reserve(&id).unwrap();
        assert!(reservations.reserve(&id).is_none());
        drop(first);
        assert!(reservations.reserve(&id).is_some());
    }
}
