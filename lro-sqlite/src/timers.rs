//! Brings far operations into the schedule when their ready times come near.

use lro_core::Timestamp;
use lro_core::store::kit::ReadyEntry;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use crate::error::Fault;
use crate::schedule::{Horizon, Point, Schedule};
use crate::statement;

/// How many operations are read between two groups of calls, unless more of them are ready soon:
/// well below a millisecond.
const BATCH: usize = 256;

/// Reads far operations if the schedule does not reach far enough. Not within a transaction, which
/// might be rolled back.
pub(crate) fn look_ahead(
    connection: &Connection,
    schedule: &mut Schedule,
    now: Timestamp,
) -> Result<(), Fault> {
    if !schedule.horizon().is_near(now) {
        return Ok(());
    }
    loop {
        read_batch(connection, schedule, now)?;
        if !schedule.horizon().is_due(now) {
            return Ok(());
        }
    }
}

fn read_batch(
    connection: &Connection,
    schedule: &mut Schedule,
    now: Timestamp,
) -> Result<(), Fault> {
    let from = schedule.horizon().reached();
    let mut statement = connection.prepare_cached(statement::TIMERS)?;
    let key = params![from.time.as_micros(), from.uid, BATCH as i64 + 1];
    let mut rows = statement.query(key)?;
    let mut entries = Vec::new();
    let (mut end, mut beyond) = (Horizon::target(now), None);
    let (mut last, mut count) = (None, 0);
    while let Some(row) = rows.next()? {
        let time = Timestamp::from_micros(row.get(3)?);
        if time > end.time || count == BATCH {
            beyond = Some(time);
            end = last.filter(|_| time <= end.time).unwrap_or(end);
            break;
        }
        let uid = row.get(0)?;
        match entry(row) {
            Some(entry) => entries.push(entry),
            None => tracing::error!(?uid, "skipping a corrupt operation"),
        }
        last = Some(Point { time, uid });
        count += 1;
    }
    schedule.extend(&entries, end, beyond);
    Ok(())
}

/// An operation of [`statement::TIMERS`] or [`statement::UNFINISHED`].
pub(crate) fn entry(row: &Row<'_>) -> Option<ReadyEntry> {
    Some(ReadyEntry {
        uid: Uuid::from_slice(row.get_ref(0).ok()?.as_blob().ok()?).ok()?,
        method: row.get(2).ok()?,
        ready_time: Timestamp::from_micros(row.get(3).ok()?),
        losses: row.get(4).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use lro_core::store::{Claim, OperationRecord, Suspects, WorkerId};
    use proptest::prelude::*;

    use super::*;
    use crate::schedule::Entry;

    const METHOD: &str = "/s.Service/Method";

    fn claim(limit: usize) -> Claim {
        Claim {
            worker: WorkerId::from_uuid(Uuid::nil()),
            methods: BTreeMap::from([(METHOD.to_owned(), limit)]),
            limit,
            lease_duration: Duration::from_secs(30),
            suspects: Suspects::default(),
            expires_leases: true,
        }
    }

    /// A file, the schedule that it has, and the times at which operations that were created at
    /// 0 are ready.
    struct World {
        file: Connection,
        schedule: Schedule,
        ready: BTreeMap<Uuid, i64>,
        now: i64,
    }

    impl World {
        fn new() -> Self {
            let mut file = Connection::open_in_memory().unwrap();
            crate::schema::migrate(&mut file).unwrap();
            Self {
                file,
                schedule: Schedule::default(),
                ready: BTreeMap::new(),
                now: 0,
            }
        }

        fn entry(uid: Uuid, time: i64) -> Entry {
            let entry = ReadyEntry {
                method: METHOD.to_owned(),
                ready_time: Timestamp::from_micros(time),
                uid,
                losses: 0,
            };
            match time > 3_600_000_000 {
                true => Entry::Far(entry),
                false => Entry::Ready(entry),
            }
        }

        /// Writes when an operation is ready, or that it ended.
        fn write(&mut self, uid: Uuid, time: Option<i64>) {
            let before = self.ready.remove(&uid);
            self.file
                .execute("DELETE FROM operation WHERE uid = ?1", [uid.as_bytes()])
                .unwrap();
            if let Some(time) = time {
                let sql = "INSERT INTO operation (uid, name, parent, method, state, revision, attempt, \
                     fence, max_attempts, on_crash, retain_seconds, retain_nanos, create_time, \
                     ready_time, update_time, far) \
                     VALUES (?1, hex(?1), 'p', ?2, 0, 1, 0, 0, 1, 0, 1, 0, 0, ?3, 0, ?3 > 3600000000)";
                self.file
                    .execute(sql, params![uid.as_bytes(), METHOD, time])
                    .unwrap();
                self.ready.insert(uid, time);
            }
            let entry = |time| Self::entry(uid, time);
            self.schedule.change(before.map(entry), time.map(entry));
        }

        fn check(&mut self) {
            let now = Timestamp::from_micros(self.now);
            look_ahead(&self.file, &mut self.schedule, now).unwrap();
            let all = self.ready.iter().map(|(uid, time)| (*time, *uid));
            let mut due: Vec<_> = all.filter(|(time, _)| *time <= self.now).collect();
            due.sort_unstable();
            let found = self.schedule.ready(&claim(usize::MAX), now);
            let found = found.iter().filter_map(Entry::pending);
            let found: Vec<_> = found
                .map(|it| (it.ready_time.as_micros(), it.uid))
                .collect();
            assert_eq!(found, due);

            let never = OperationRecord::NEVER_READY.as_micros();
            let first = self.ready.values().min().filter(|time| **time != never);
            let next = self.schedule.next_time(&claim(1)).map(Timestamp::as_micros);
            if let Some(first) = first {
                // At the latest, and not over and over.
                let is_right = |next| next <= *first && (next > self.now) == (*first > self.now);
                assert!(next.is_some_and(is_right), "{next:?}, but ready at {first}");
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Operations are ready so much later than now, or end.
        Write(Vec<(u8, Option<i64>)>),
        /// The same in a transaction that is rolled back.
        RollBack(Vec<(u8, Option<i64>)>),
        Advance(i64),
        Reopen,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let minute = 60_000_000_i64;
        let ahead = prop_oneof![
            0..3 * minute,
            (0..200_i64).prop_map(move |minutes| minutes * minute),
            Just(60 * minute + 1),
            Just(i64::MAX / 2),
        ];
        let write = prop::collection::vec((any::<u8>(), prop::option::weighted(0.8, ahead)), 1..9);
        let step = prop_oneof![
            4 => write.clone().prop_map(Step::Write),
            2 => write.prop_map(Step::RollBack),
            3 => prop_oneof![0..minute, 0..90 * minute, -minute..0].prop_map(Step::Advance),
            1 => Just(Step::Reopen),
        ];
        prop::collection::vec(step, 1..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// steps:W2 steps:W5
        #[test]
        fn what_is_ready_is_found_whatever_is_in_memory(steps in steps()) {
            let mut world = World::new();
            for step in steps {
                let never = OperationRecord::NEVER_READY.as_micros();
                let at = |now: i64, ahead: i64| now.saturating_add(ahead).min(never);
                match step {
                    Step::Write(writes) => {
                        for (uid, ahead) in writes {
                            let time = ahead.map(|ahead| at(world.now, ahead));
                            world.write(Uuid::from_u128(uid.into()), time);
                        }
                        world.schedule.commit();
                    }
                    Step::RollBack(writes) => {
                        let ready = world.ready.clone();
                        world.file.execute_batch("BEGIN").unwrap();
                        for (uid, ahead) in writes {
                            let time = ahead.map(|ahead| at(world.now, ahead));
                            world.write(Uuid::from_u128(uid.into()), time);
                        }
                        world.file.execute_batch("ROLLBACK").unwrap();
                        world.schedule.roll_back();
                        world.ready = ready;
                    }
                    Step::Advance(micros) => world.now += micros,
                    Step::Reopen => {
                        world.schedule = Schedule::default();
                        for (uid, time) in &world.ready {
                            if let near @ Entry::Ready(_) = World::entry(*uid, *time) {
                                world.schedule.change(None, Some(near));
                            }
                        }
                        world.schedule.commit();
                    }
                }
                world.check();
            }
        }
    }

    #[test]
    fn more_than_a_batch_at_one_time_is_found() {
        let mut world = World::new();
        let later = 5 * 3_600_000_000;
        for number in 0..2 * BATCH as u128 + 7 {
            world.write(Uuid::from_u128(number), Some(later));
        }
        world.schedule.commit();
        for now in [0, later - 1_200_000_000, later - 1, later] {
            world.now = now;
            world.check();
        }
    }
}
