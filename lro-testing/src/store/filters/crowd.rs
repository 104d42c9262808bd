use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lro_core::pb;
use lro_core::store::{
    Command, ListQuery, NewOperation, OperationOutcome, OperationRecord, OperationStore,
    PageCursor, StandardMetadata, Update,
};
use prost_types::Any;

use super::writer::{KEYS, METHODS, PARENTS, VALUES};
use crate::ManualClock;
use crate::random::Random;
use crate::store::build::{LEASE, any, name, succeed, uid, worker};
use crate::store::steps::{asked, block, sleep, suspend};

/// How many operations there are.
const SIZE: u64 = 160;

/// Operations in every state, with odd texts, and times that repeat and go back.
pub(super) struct Crowd {
    /// Those that callers see.
    records: Vec<OperationRecord>,
}

impl Crowd {
    /// Starts them in each of the stores.
    pub(super) async fn start(
        stores: &[&Arc<dyn OperationStore>],
        clock: &ManualClock,
        seed: u64,
    ) -> Self {
        let mut random = Random::new(seed);
        let mut names = Vec::new();
        let keep_steps = stores.iter().all(|store| store.keeps_steps());
        for batch in 0..SIZE / 8 {
            let step = random.pick(&[0, 1, 1_000_000, 60_000_000]);
            clock.advance(Duration::from_micros(step));
            if random.percent(10) {
                clock.set(ManualClock::START);
            }
            let new: Vec<_> = (0..8)
                .map(|n| operation(&mut random, batch * 8 + n))
                .collect();
            names.extend(new.iter().map(|new| new.name.clone()));
            let updates: Vec<_> = new
                .iter()
                .filter_map(|new| update(&mut random, new, keep_steps))
                .collect();
            for store in stores {
                for answer in store.start(new.clone()).await.unwrap() {
                    answer.unwrap();
                }
                for answer in store.update(updates.clone()).await.unwrap() {
                    answer.unwrap();
                }
            }
        }
        let mut records = Vec::new();
        for name in names {
            // All stores say the same, or the first comparison fails.
            records.extend(stores[0].get(&name).await.unwrap());
        }
        records.sort_by_key(|record| std::cmp::Reverse(PageCursor::behind(record)));
        Self { records }
    }

    /// The operations that a list must hold.
    pub(super) fn matching(&self, query: &ListQuery) -> Vec<OperationRecord> {
        let records = self.records.iter().filter(|record| query.matches(record));
        records.map(OperationRecord::public_part).collect()
    }
}

fn operation(random: &mut Random, n: u64) -> NewOperation {
    let parent = random.pick(&PARENTS);
    let id = random.pick(&["Op", "op", "\u{212a}", "e\u{301}", "%_", "[a]*", "'"]);
    let name = match parent {
        "" => name(&format!("operations/{id}{n}")),
        parent => name(&format!("{parent}/operations/{id}{n}")),
    };
    let mut new = NewOperation::new(uid(n + 1), name, random.pick(&METHODS), any("r"));
    let labels = (0..random.pick(&[0, 0, 1, 2, 3])).map(|_| {
        let (key, value) = (random.pick(&KEYS), random.pick(&VALUES));
        (key.to_owned(), value.to_owned())
    });
    new.labels = labels.collect::<BTreeMap<_, _>>();
    new.metadata = random.percent(40).then(|| payload(random));
    if random.percent(20) {
        // Callers then see metadata of this type, even if the body has set none.
        new.origin.standard_metadata = Some(StandardMetadata {
            type_name: random.pick(&["test.Text", "other.Text"]).to_owned(),
            create_time: 1,
            ..StandardMetadata::default()
        });
    }
    new.outcome = match random.below(10) {
        0..2 => Some(OperationOutcome::Response(payload(random))),
        2..4 => Some(OperationOutcome::Error(pb::rpc::Status {
            code: random.pick(&[1, 5, 14]),
            message: random.pick(&VALUES).to_owned(),
            details: Vec::new(),
        })),
        _ => None,
    };
    if new.outcome.is_none() && random.percent(60) {
        new.claimed_by = Some((worker(1), LEASE));
    }
    new.policy.retain = Duration::from_secs(random.pick(&[1_000_000, 2_000_000]));
    new
}

/// A payload of one of several types, whose text may name another.
fn payload(random: &mut Random) -> Any {
    let host = random.pick(&["type.googleapis.com/", "example.com/types/", "/"]);
    let name = random.pick(&["test.Text", "other.Text", "Text", "test.text"]);
    Any {
        type_url: format!("{host}{name}"),
        value: random.pick(&["", "m", "test.Text"]).as_bytes().to_vec(),
    }
}

/// The next command to the operation.
fn update(random: &mut Random, new: &NewOperation, keep_steps: bool) -> Option<Update> {
    let claimed = new.claimed_by.is_some();
    let command = match random.below(6) {
        0 | 1 if claimed => succeed(1, "done"),
        2 => Command::cancel(),
        3 if random.percent(30) => Command::delete(),
        4 if claimed => Command::Release {
            fence: 1,
            metadata: None,
        },
        5 if claimed && keep_steps => {
            let waits = random.pick(&[&["approved"][..], &["night", "approved/2"], &["night"]]);
            let command = match random.percent(30) {
                true => block(1, LEASE),
                false => suspend(1, waits),
            };
            let steps = waits.iter().map(|of| match *of {
                "night" => sleep(of, LEASE),
                promise => asked(promise),
            });
            let update = Update::by_name(new.name.clone(), command);
            return Some(update.with_steps(steps.collect()));
        }
        _ => return None,
    };
    Some(Update::by_name(new.name.clone(), command))
}
