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
