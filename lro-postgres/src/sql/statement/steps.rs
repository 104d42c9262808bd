//! Steps, by the primary key of their table.

/// All columns but the last one.
macro_rules! without_child {
    ($table:literal) => {
        concat!(
            $table,
            "key, ",
            $table,
            "seq, ",
            $table,
            "kind, ",
            $table,
            "attempt, ",
            $table,
            "fence, ",
            $table,
            "sequential, ",
            $table,
            "begin_time, ",
            $table,
            "end_time, ",
            $table,
            "wake_time, ",
            $table,
            "value_kind, ",
            $table,
            "value"
        )
    };
}

macro_rules! columns {
    ($table:literal) => {
        concat!(without_child!($table), ", ", $table, "child")
    };
}

/// The rows of these operations, epochs and keys, each behind its uid.
pub(crate) const STEPS_BY_KEY: &str = concat!(
    "SELECT ",
    columns!("s."),
    ", s.uid FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS k (uid, epoch, key) \
     JOIN {step} s ON s.uid = k.uid AND s.epoch = k.epoch AND s.key = k.key"
);

/// The rows of these operations and epochs that callers gave: of kind 2 (a promise), by no run.
pub(crate) const GIVEN_STEPS: &str = concat!(
    "SELECT ",
    columns!("s."),
    ", s.uid FROM unnest($1::uuid[], $2::bigint[]) AS n (uid, epoch) \
     JOIN {step} s ON s.uid = n.uid AND s.epoch = n.epoch AND s.kind = 2 AND s.fence = 0"
);

/// Removes rows of these operations, epochs and keys.
pub(crate) const FORGET_STEPS: &str = "DELETE FROM {step} AS s \
     USING unnest($1::uuid[], $2::bigint[], $3::text[]) AS k (uid, epoch, key) \
     WHERE s.uid = k.uid AND s.epoch = k.epoch AND s.key = k.key";

/// Removes some of the rows of these operations in epochs before these, at most the last parameter
/// of each.
pub(crate) const SWEEP_STEPS: &str = "DELETE FROM {step} AS s \
     USING unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n (uid, epoch, most) \
     CROSS JOIN LATERAL (SELECT e.epoch, e.key FROM {step} e \
     WHERE e.uid = n.uid AND e.epoch < n.epoch LIMIT n.most) AS old \
     WHERE s.uid = n.uid AND s.epoch = old.epoch AND s.key = old.key";

/// Writes rows, which replace those of the same key.
pub(crate) const PUT_STEPS: &str = concat!(
    "INSERT INTO {step} AS s (uid, epoch, ",
    columns!(""),
    ") SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::smallint[], \
     $6::bigint[], $7::bigint[], $8::boolean[], $9::bigint[], $10::bigint[], $11::bigint[], \
     $12::smallint[], $13::bytea[], $14::bytea[]) ON CONFLICT (uid, epoch, key) DO UPDATE SET \
     attempt = excluded.attempt, fence = excluded.fence, end_time = excluded.end_time, \
     wake_time = excluded.wake_time, value_kind = excluded.value_kind, value = excluded.value, \
     child = excluded.child"
);

/// Records new steps of operations that were not written since the given revision; of those that have a
/// row of one of the keys, none. The statement adds what depends on the time: times of rows are given
/// by how long before or after it they are. It changes no column that an index has, so that the new
/// version of the operation needs no entries in any.
pub(crate) const RECORD: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT coalesce($25::bigint, ",
    clock!(),
    ") AS now), o AS (UPDATE {operation} AS o SET revision = n.revision + 1, \
     update_time = greatest(n.update_time, t.now), attempt = n.attempt, losses = n.losses, \
     metadata = coalesce(n.metadata, o.metadata), steps = n.steps \
     FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
     $7::bytea[], $8::bytea[]) AS n (uid, revision, fence, update_time, attempt, losses, metadata, \
     steps), t WHERE o.uid = n.uid AND o.revision = n.revision AND o.fence = n.fence \
     AND NOT o.uid = ANY(ARRAY(SELECT s.uid \
     FROM unnest($9::uuid[], $12::bigint[], $13::text[]) AS k (uid, epoch, key) \
     JOIN {step} s ON s.uid = k.uid AND s.epoch = k.epoch AND s.key = k.key)) \
     RETURNING o.uid, o.update_time), s AS (INSERT INTO {step} (uid, epoch, ",
    without_child!(""),
    ") SELECT n.uid, n.epoch, n.key, n.seq, n.kind, n.attempt, n.fence, n.sequential, \
     greatest(w.time - n.begun_ago, n.create_time), CASE WHEN n.finished THEN w.time END, \
     CASE WHEN n.wake_after IS NULL THEN n.wake_at ELSE least(w.time + n.wake_after, ",
    latest!(),
    ") END, n.value_kind, n.value \
     FROM unnest($9::uuid[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::bigint[], \
     $15::smallint[], $16::bigint[], $17::bigint[], $18::boolean[], $19::bigint[], $20::boolean[], \
     $21::bigint[], $22::bigint[], $23::smallint[], $24::bytea[]) AS n (uid, update_time, create_time, \
     epoch, key, seq, kind, attempt, fence, sequential, begun_ago, finished, wake_at, wake_after, \
     value_kind, value), t, LATERAL (SELECT greatest(n.update_time, t.now) AS time) AS w \
     WHERE n.uid = ANY(ARRAY(SELECT o.uid FROM o))) SELECT uid, update_time FROM o"
);

/// A page of the rows of an operation.
pub(crate) const STEP_PAGE: &str = concat!(
    "SELECT ",
    columns!("s."),
    " FROM {step} s WHERE s.uid = $1::uuid AND s.epoch = $2::bigint AND s.seq > $3::bigint \
     ORDER BY s.seq LIMIT $4::bigint"
);

/// Those that are prepared.
pub(super) const STEPS: [&str; 7] = [
    STEPS_BY_KEY,
    GIVEN_STEPS,
    FORGET_STEPS,
    SWEEP_STEPS,
    PUT_STEPS,
    RECORD,
    STEP_PAGE,
];
