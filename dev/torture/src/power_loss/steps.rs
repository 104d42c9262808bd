//! The steps of the model's operations, and their expected rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use lro_core::store::{AppliedSteps, Child, StepKey, StepRow};
use rusqlite::types::Value;
use uuid::Uuid;

use super::rows::{Row, Rows};

/// The columns of the table of steps but its key.
pub(crate) const COLUMNS: [&str; 12] = [
    "key",
    "seq",
    "kind",
    "attempt",
    "fence",
    "sequential",
    "begin_time",
    "end_time",
    "wake_time",
    "value_kind",
    "value",
    "child",
];

/// The recorded steps, by operation, epoch and key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps(BTreeMap<(Uuid, u32, StepKey), StepRow>);

impl Steps {
    /// Those of an epoch.
    pub(crate) fn of(&self, uid: Uuid, epoch: u32) -> impl Iterator<Item = &StepRow> {
        let all = self.0.iter();
        let own = all.filter(move |((of, at, _), _)| (*of, *at) == (uid, epoch));
        own.map(|(_, row)| row)
    }

    /// Those of these keys, and of the values that callers gave, if they are wanted.
    pub(crate) fn get<'k>(
        &self,
        (uid, epoch): (Uuid, u32),
        keys: impl Iterator<Item = &'k StepKey>,
        given: bool,
    ) -> HashMap<StepKey, StepRow> {
        let named = keys.filter_map(|key| self.0.get(&(uid, epoch, key.clone())));
        let given = self.of(uid, epoch).filter(|row| given && row.is_given());
        let found = named.chain(given).cloned();
        found.map(|row| (row.key.clone(), row)).collect()
    }

    /// Takes over what a command has done.
    pub(crate) fn put(&mut self, uid: Uuid, epoch: u32, applied: AppliedSteps, rows: &mut Rows) {
        for key in applied.removed {
            rows.remove(&key_of(uid, epoch, &key));
            self.0.remove(&(uid, epoch, key));
        }
        for row in applied.written {
            let key = key_of(uid, epoch, &row.key);
            rows.insert(key, Arc::new(expected(&row)));
            self.0.insert((uid, epoch, row.key.clone()), row);
        }
    }

    /// They go with their operation.
    pub(crate) fn remove(&mut self, uid: Uuid, rows: &mut Rows) {
        self.0.retain(|(of, epoch, key), _| {
            if *of == uid {
                rows.remove(&key_of(uid, *epoch, key));
            }
            *of != uid
        });
    }

    /// How many there are, how many have started a child, and of how many of these the child has ended.
    pub(crate) fn count(&self) -> [u64; 3] {
        let rows = self.0.values();
        let with_child = rows.clone().filter(|row| row.child.is_some());
        let ended = with_child.clone().filter(|row| row.is_finished());
        [rows.count(), with_child.count(), ended.count()].map(|count| count as u64)
    }
}

/// The key among the rows: longer than that of an operation.
fn key_of(uid: Uuid, epoch: u32, key: &StepKey) -> Vec<u8> {
    row_key(uid.as_bytes(), epoch, key.as_str())
}

/// The same of a row that was read.
pub(crate) fn row_key(uid: &[u8], epoch: u32, key: &str) -> Vec<u8> {
    [uid, &epoch.to_be_bytes(), key.as_bytes()].concat()
}

fn expected(row: &StepRow) -> Row {
    let number = |number: u64| Value::Integer(number.cast_signed());
    let time = |time: Option<lro_core::Timestamp>| {
        time.map_or(Value::Null, |it| Value::Integer(it.as_micros()))
    };
    let (kind, value) = match row.encode_value() {
        None => (Value::Null, Value::Null),
        Some((kind, value)) => (number(kind.into()), Value::Blob(value)),
    };
    let child = row.child.as_deref().map(Child::encode);
    vec![
        Value::Text(row.key.as_str().to_owned()),
        number(row.seq),
        number(row.kind.as_number().into()),
        number(row.attempt.into()),
        number(row.fence),
        number(row.sequential.into()),
        time(Some(row.begin_time)),
        time(row.end_time),
        time(row.wake_time),
        kind,
        value,
        child.map_or(Value::Null, Value::Blob),
    ]
}
