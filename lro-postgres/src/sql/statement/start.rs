//! New operations.

macro_rules! insert_columns {
    ($($more:literal)?) => {
        concat!(
            "INSERT INTO {operation} (uid, revision, attempt, fence, max_attempts, \
             retain_seconds, create_time, ready_time, update_time, start_time, end_time, expire_time, \
             lease_expire_time, lease_worker, retain_nanos, state, on_crash, result_kind, name, parent, \
             method, request_id, exclusive_key, request_digest, request_fingerprint, exclusive_digest, \
             labels, origin, metadata, result, request",
            $($more,)?
            ") SELECT n.c1, n.c2, n.c3, n.c4, n.c5, n.c6, "
        )
    };
}

macro_rules! insert_values {
    () => {
        insert_values!("", "", "")
    };
    ($values:literal, $arrays:literal, $names:literal) => {
        concat!(
            ", n.c14, \
             n.c15, n.c16, n.c17, n.c18, n.c19, n.c20, n.c21, n.c22, n.c23, n.c24, n.c25, n.c26, n.c27, \
             n.c28, n.c29, n.c30, n.c31",
            $values,
            " FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
             $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], \
             $13::bigint[], $14::uuid[], $15::integer[], $16::smallint[], $17::smallint[], \
             $18::smallint[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], \
             $24::bytea[], $25::bytea[], $26::bytea[], $27::bytea[], $28::bytea[], $29::bytea[], \
             $30::bytea[], $31::bytea[]",
            $arrays,
            ") WITH ORDINALITY AS n (c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, \
             c11, c12, c13, c14, c15, c16, c17, c18, c19, c20, c21, c22, c23, c24, c25, c26, c27, c28, \
             c29, c30, c31",
            $names,
            ", place)"
        )
    };
}

pub(crate) const INSERT: &str = concat!(
    insert_columns!(),
    "n.c7, n.c8, n.c9, n.c10, n.c11, n.c12, n.c13",
    insert_values!(),
    " ORDER BY n.place ON CONFLICT DO NOTHING RETURNING uid, name, create_time"
);

/// The same with times that count from now: the clock need not be asked before.
pub(crate) const INSERT_NOW: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT ",
    clock!(),
    " AS now) ",
    insert_columns!(),
    "t.now + n.c7, t.now + n.c8, t.now + n.c9, t.now + n.c10, t.now + n.c11, t.now + n.c12, \
     least(t.now + n.c13, ",
    latest!(),
    ")",
    insert_values!(),
    ", t ORDER BY n.place ON CONFLICT DO NOTHING RETURNING uid, name, create_time"
);

/// Children, or an error if another operation is in the way of one: its parent must not learn of it then.
pub(crate) const INSERT_CHILDREN: &str = concat!(
    insert_columns!(", parent_step, parent_operation"),
    "n.c7, n.c8, n.c9, n.c10, n.c11, n.c12, n.c13",
    insert_values!(
        ", n.c32, n.c33",
        ", $32::bytea[], $33::text[]",
        ", c32, c33"
    ),
    " ORDER BY n.place"
);
