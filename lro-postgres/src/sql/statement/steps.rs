//! Steps, by the primary key of their table.

macro_rules! columns {
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
     $12::smallint[], $13::bytea[]) ON CONFLICT (uid, epoch, key) DO UPDATE SET \
     attempt = excluded.attempt, fence = excluded.fence, end_time = excluded.end_time, \
     wake_time = excluded.wake_time, value_kind = excluded.value_kind, value = excluded.value"
);

/// A page of the rows of an operation.
pub(crate) const STEP_PAGE: &str = concat!(
    "SELECT ",
    columns!("s."),
    " FROM {step} s WHERE s.uid = $1::uuid AND s.epoch = $2::bigint AND s.seq > $3::bigint \
     ORDER BY s.seq LIMIT $4::bigint"
);

/// Those that are prepared.
pub(super) const STEPS: [&str; 6] = [
    STEPS_BY_KEY,
    GIVEN_STEPS,
    FORGET_STEPS,
    SWEEP_STEPS,
    PUT_STEPS,
    STEP_PAGE,
];
