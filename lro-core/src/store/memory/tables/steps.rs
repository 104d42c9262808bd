use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::store::{AppliedSteps, StepKey, StepQuery, StepRow};

/// The recorded steps of all operations.
#[derive(Default)]
pub(in crate::store::memory) struct Steps(HashMap<Uuid, Rows>);

/// The steps of one operation, by epoch.
#[derive(Default)]
struct Rows {
    in_order: BTreeMap<(u32, u64), StepRow>,
    places: HashMap<StepKey, (u32, u64)>,
}

impl Steps {
    /// The rows of these keys, as far as there are any.
    pub(super) fn get<'k>(
        &self,
        uid: Uuid,
        epoch: u32,
        keys: impl Iterator<Item = &'k StepKey>,
    ) -> HashMap<StepKey, StepRow> {
        let Some(rows) = self.0.get(&uid) else {
            return HashMap::new();
        };
        let row = |key| {
            let place = rows.places.get(key).filter(|place| place.0 == epoch)?;
            rows.in_order.get(place)
        };
        let found = keys.filter_map(row).cloned();
        found.map(|row| (row.key.clone(), row)).collect()
    }

    /// The rows of this epoch that callers gave.
    pub(super) fn given(&self, uid: Uuid, epoch: u32) -> HashMap<StepKey, StepRow> {
        let rows = self.0.get(&uid).into_iter();
        let rows = rows.flat_map(|rows| rows.in_order.range((epoch, 0)..=(epoch, u64::MAX)));
        let given = rows.map(|(_, row)| row).filter(|row| row.is_given());
        given.map(|row| (row.key.clone(), row.clone())).collect()
    }

    /// Removes and writes rows of this epoch, and removes those of earlier ones if the command says
    /// so: all of them, since that takes no commit.
    pub(super) fn put(&mut self, uid: Uuid, epoch: u32, applied: AppliedSteps) {
        if applied.written.is_empty() && applied.removed.is_empty() && !applied.sweeps {
            return;
        }
        let rows = self.0.entry(uid).or_default();
        if applied.sweeps {
            rows.in_order = rows.in_order.split_off(&(epoch, 0));
            rows.places.retain(|_, place| place.0 >= epoch);
        }
        for key in applied.removed {
            if let Some(place) = rows.places.remove(&key) {
                rows.in_order.remove(&place);
            }
        }
        for row in applied.written {
            let place = (epoch, row.seq);
            rows.places.insert(row.key.clone(), place);
            rows.in_order.insert(place, row);
        }
    }

    pub(super) fn remove(&mut self, uid: Uuid) {
        self.0.remove(&uid);
    }

    pub(in crate::store::memory) fn page(&self, query: &StepQuery) -> Vec<StepRow> {
        let Some(rows) = self.0.get(&query.uid) else {
            return Vec::new();
        };
        let first = (query.epoch, query.after_seq.saturating_add(1));
        let rows = rows.in_order.range(first..=(query.epoch, u64::MAX));
        let mut len = 0;
        let mut page = Vec::new();
        for (_, row) in rows.take(query.limit) {
            len += row.encoded_len();
            if len > query.max_bytes && !page.is_empty() {
                break;
            }
            page.push(row.clone());
        }
        page
    }
}
