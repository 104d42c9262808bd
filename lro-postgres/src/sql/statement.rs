//! The statements, as text, with `{operation}` for the table in its schema, and `{label}` for that of
//! labels.
//!
//! None that finds rows by their ids repeats the predicate of a partial index: while the statistics
//! still say that no row satisfies it, the planner would scan that index instead of the ids. None is
//! given an empty list of ids either: that is false, which implies every predicate, so that the planner
//! may scan any partial index to find nothing. The module `plans` shows both.

use std::collections::HashMap;

use crate::list;
use crate::sql::row::{columns, head};
use crate::sql::text::quote;

/// The database's clock, read when the statement runs.
macro_rules! clock {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

/// The same when the statement began, which an index can be searched by.
macro_rules! begun {
    () => {
        "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint"
    };
}

/// [`Timestamp::MAX`](lro_core::Timestamp::MAX): nothing ends later.
macro_rules! latest {
    () => {
        "253402300799999999"
    };
}

/// Whether the transaction may not write: the server is a standby, or its operator has made it
/// read-only.
macro_rules! read_only {
    () => {
        "current_setting('transaction_read_only')::boolean"
    };
}

/// Makes those of `c` running at the time of `t`, with a lease, or cancelling if they were cancelled while they
/// waited, and sets more. Gives them as they were before.
macro_rules! claim_taken {
    ($worker:literal, $lease:literal $(, $more:literal)?) => {
        concat!(
            " UPDATE {operation} AS o SET state = CASE WHEN c.cancel_time IS NULL THEN 1 ELSE 2 END, revision = c.revision + 1, \
             attempt = c.attempt + 1, fence = c.fence + 1, \
             start_time = coalesce(c.start_time, greatest(c.update_time, t.now)), \
             attempt_time = CASE WHEN c.start_time IS NOT NULL THEN greatest(c.update_time, t.now, c.cancel_time + 1) END, \
             update_time = greatest(c.update_time, t.now), lease_expire_time = least(t.now + ",
            $lease,
            "::bigint, ",
            latest!(),
            "), lease_worker = ",
            $worker,
            "::uuid, steps_fence = CASE WHEN c.steps IS NOT NULL OR c.parent_step IS NOT NULL THEN c.fence + 1 END",
            $($more,)?
            " FROM c, t WHERE o.uid = c.uid RETURNING c.*, t.now"
        )
    };
}

mod family;
mod retention;
mod secret;
mod shared;
mod start;
mod steps;

pub(crate) use family::*;
pub(crate) use retention::{PURGE, PURGE_WITHIN};
pub(crate) use secret::{CREATE_PAGE_TOKEN_KEY, PAGE_TOKEN_KEY};
pub(crate) use shared::{HELD, SHARE};
pub(crate) use start::{INSERT, INSERT_CHILDREN, INSERT_NOW};
pub(crate) use steps::*;

/// Those that are prepared. `list::statement` has more.
const ALL: [&str; 27] = [
    CLOCK,
    READ_ONLY,
    NOTIFY,
    INSERT,
    INSERT_NOW,
    INSERT_CHILDREN,
    BY_REQUEST,
    NAMES_BY_ID,
    NAMES_BY_EXCLUSIVE_KEY,
    LOCK,
    LOCK_NAMED,
    LOCK_FREE,
    ADVANCE,
    END,
    RENEW,
    REMOVE,
    LOOK,
    SWEEP,
    HELD,
    SHARE,
    CLAIM,
    CLAIM_SUSPECTS,
    GET,
    PURGE,
    PAGE_TOKEN_KEY,
    CREATE_PAGE_TOKEN_KEY,
    BACKLOG,
];

/// The statements for one schema, found by their text.
pub(crate) fn of_schema(schema: &str) -> HashMap<&'static str, String> {
    let all = ALL
        .into_iter()
        .chain(steps::STEPS)
        .chain(family::FAMILY)
        .chain(list::statement::ALL);
    all.map(|text| (text, named(schema, text))).collect()
}

/// A statement with the names of the tables.
pub(crate) fn named(schema: &str, text: &str) -> String {
    let schema = quote(schema);
    let text = text.replace("{operation}", &format!("{schema}.operation"));
    text.replace("{label}", &format!("{schema}.label"))
        .replace("{step}", &format!("{schema}.operation_step"))
        .replace("{wake}", &format!("{schema}.operation_wake"))
        .replace("{secret}", &format!("{schema}.operation_secret"))
        .replace("{and}", "")
}

pub(crate) const CLOCK: &str = concat!("SELECT ", clock!());

/// Whether the server takes no writes.
pub(crate) const READ_ONLY: &str = concat!("SELECT ", read_only!());

/// Whether the last column of the first row is that of [`READ_ONLY`].
pub(crate) fn tells_read_only(sql: &str) -> bool {
    sql == GET || sql == LOOK
}

pub(crate) const BY_REQUEST: &str = concat!(
    "SELECT ",
    columns!(),
    ", request_digest FROM {operation} WHERE request_digest = ANY($1::bytea[])"
);

pub(crate) const NAMES_BY_ID: &str = "SELECT uid, name FROM {operation} \
     WHERE uid = ANY($1::uuid[] || ARRAY(SELECT o.uid FROM {operation} o WHERE o.name = ANY($2::text[])))";

pub(crate) const NAMES_BY_EXCLUSIVE_KEY: &str = "SELECT uid, name, exclusive_digest FROM {operation} \
     WHERE exclusive_digest = ANY($1::bytea[]) AND end_time IS NULL";

/// In the order of the uids, so that two transactions never wait for each other.
pub(crate) const LOCK: &str = concat!(
    "SELECT ",
    head!(),
    " FROM {operation} WHERE uid = ANY($1::uuid[]) ORDER BY uid FOR UPDATE"
);

/// The same, some of them by their names.
pub(crate) const LOCK_NAMED: &str = concat!(
    "SELECT ",
    head!(),
    " FROM {operation} WHERE uid = ANY($1::uuid[] || \
     ARRAY(SELECT o.uid FROM {operation} o WHERE o.name = ANY($2::text[]))) \
     ORDER BY uid FOR UPDATE"
);

// Metadata that is not given stays. So does a checkpoint, until the operation finishes.
pub(crate) const ADVANCE: &str = "UPDATE {operation} AS o SET revision = n.revision, attempt = n.attempt, \
     fence = n.fence, ready_time = n.ready_time, update_time = n.update_time, \
     start_time = n.start_time, cancel_time = n.cancel_time, delete_time = n.delete_time, \
     end_time = n.end_time, expire_time = n.expire_time, \
     lease_expire_time = n.lease_expire_time, lease_worker = n.lease_worker, state = n.state, \
     result_kind = n.result_kind, metadata = coalesce(n.metadata, o.metadata), \
     checkpoint = CASE WHEN n.end_time IS NULL THEN coalesce(n.checkpoint, o.checkpoint) END, \
     result = n.result, losses = n.losses, suspect_time = n.suspect_time, attempt_time = n.attempt_time, \
     history = n.history, steps = n.steps, \
     steps_fence = CASE WHEN n.steps IS NOT NULL OR o.parent_step IS NOT NULL THEN n.fence END, \
     lease_shared = coalesce(o.lease_shared AND o.lease_expire_time = n.lease_expire_time, false) \
     FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], \
     $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], \
     $13::uuid[], $14::smallint[], $15::smallint[], $16::bytea[], $17::bytea[], $18::bytea[], \
     $19::bigint[], $20::bigint[], $21::bigint[], $22::bytea[], $23::bytea[]) \
     AS n (uid, revision, attempt, fence, ready_time, update_time, start_time, cancel_time, \
     delete_time, end_time, expire_time, lease_expire_time, lease_worker, state, result_kind, \
     metadata, checkpoint, result, losses, suspect_time, attempt_time, history, steps) WHERE o.uid = n.uid";

/// Finishes operations that were not written since the given revision. Times are given relative to
/// the last write of the row; the statement adds the time that has passed since.
pub(crate) const END: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT coalesce($10::bigint, ",
    clock!(),
    ") AS now) UPDATE {operation} AS o SET revision = n.revision + 1, \
     update_time = greatest(n.update_time, t.now), end_time = greatest(n.update_time, t.now), \
     expire_time = least(n.expire_time + (greatest(n.update_time, t.now) - n.update_time), ",
    latest!(),
    "), \
     lease_expire_time = NULL, state = n.state, result_kind = n.result_kind, checkpoint = NULL, \
     metadata = coalesce(n.metadata, o.metadata), result = n.result FROM unnest($1::uuid[], \
     $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[], $7::smallint[], \
     $8::bytea[], $9::bytea[]) AS n (uid, revision, fence, update_time, expire_time, state, \
     result_kind, metadata, result), t WHERE o.uid = n.uid AND o.revision = n.revision \
     AND o.fence = n.fence RETURNING o.uid, o.update_time"
);

/// The same without those that others have locked.
pub(crate) const LOCK_FREE: &str = concat!(
    "SELECT ",
    head!(),
    " FROM {operation} WHERE uid = ANY($1::uuid[] || \
     ARRAY(SELECT o.uid FROM {operation} o WHERE o.name = ANY($2::text[]))) \
     ORDER BY uid FOR UPDATE SKIP LOCKED"
);

pub(crate) const RENEW: &str = "UPDATE {operation} AS o SET lease_expire_time = n.lease_expire_time, \
     lease_shared = coalesce(o.lease_shared AND o.lease_expire_time = n.lease_expire_time, false) \
     FROM unnest($1::uuid[], $2::bigint[]) AS n (uid, lease_expire_time) WHERE o.uid = n.uid";

pub(crate) const REMOVE: &str = "DELETE FROM {operation} WHERE uid = ANY($1::uuid[])";

/// The clock, when the first lease ends, and when the first operation of each method is ready. Leases
/// up to that time, or without one only those that are over. Whether some operation waits for a wake. Last,
/// [`READ_ONLY`].
pub(crate) const LOOK: &str = concat!(
    "SELECT ",
    clock!(),
    ", (SELECT o.lease_expire_time FROM {operation} o WHERE o.lease_expire_time IS NOT NULL \
     AND o.lease_expire_time >= $1::bigint AND o.lease_expire_time <= coalesce($4::bigint, ",
    begun!(),
    ") \
     ORDER BY o.lease_expire_time, o.uid LIMIT 1), \
     ARRAY(SELECT (SELECT o.ready_time FROM {operation} o WHERE o.state = 0 AND o.method = m.method \
     AND o.ready_time >= m.since ORDER BY o.ready_time, o.uid LIMIT 1) \
     FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS m (method, since, place) \
     ORDER BY m.place), \
     (SELECT o.suspect_time FROM {operation} o WHERE o.suspect_time IS NOT NULL AND o.losses = 1 \
     AND o.state = 0 AND o.method = ANY($2::text[]) ORDER BY o.suspect_time, o.uid LIMIT 1), \
     (SELECT o.suspect_time FROM {operation} o WHERE o.suspect_time IS NOT NULL AND o.losses > 1 \
     AND o.state = 0 AND o.method = ANY($2::text[]) ORDER BY o.suspect_time, o.uid LIMIT 1), \
     EXISTS (SELECT FROM {wake} WHERE id > 0), ",
    read_only!()
);

/// Leases that are over at that time, or now, the longest first.
pub(crate) const SWEEP: &str = concat!(
    "SELECT ",
    head!(),
    ", lease_shared FROM {operation} WHERE lease_expire_time IS NOT NULL AND lease_expire_time >= $1::bigint \
     AND lease_expire_time < coalesce($2::bigint, ",
    begun!(),
    ") ORDER BY lease_expire_time, uid \
     LIMIT $3::bigint FOR UPDATE SKIP LOCKED"
);

/// Claims suspects as [`CLAIM`] claims other operations: those with one loss, or those with more.
pub(crate) const CLAIM_SUSPECTS: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT coalesce($4::bigint, ",
    clock!(),
    ") AS now), c AS MATERIALIZED (SELECT r.* \
     FROM unnest($1::text[], $2::bigint[]) AS m (method, most) CROSS JOIN LATERAL (SELECT ",
    columns!(),
    " FROM {operation} WHERE suspect_time IS NOT NULL AND state = 0 AND method = m.method \
     AND (losses > 1) = $3::boolean AND suspect_time <= coalesce($4::bigint, ",
    begun!(),
    ") - $8::bigint ORDER BY suspect_time, uid LIMIT m.most FOR UPDATE SKIP LOCKED) AS r \
     ORDER BY r.suspect_time, r.uid LIMIT $5::bigint)",
    claim_taken!(
        "$6",
        "$7",
        ", ready_time = c.suspect_time, suspect_time = NULL"
    ),
);

/// The same of a range of the index, to go around what cannot be read.
pub(crate) const SWEEP_WITHIN: &str = concat!(
    "SELECT ",
    head!(),
    ", lease_shared FROM {operation} WHERE lease_expire_time IS NOT NULL \
     AND (lease_expire_time, uid) >= ($1::bigint, $2::uuid) \
     AND (lease_expire_time, uid) < ($3::bigint, $4::uuid) \
     AND lease_expire_time < coalesce($5::bigint, ",
    begun!(),
    ") ORDER BY lease_expire_time, uid \
     LIMIT $6::bigint FOR UPDATE SKIP LOCKED"
);

/// Claims operations of one method within a range of the index, to go around what cannot be read.
pub(crate) const CLAIM_WITHIN: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT coalesce($7::bigint, ",
    clock!(),
    ") AS now), c AS MATERIALIZED (SELECT ",
    columns!(),
    " FROM {operation} WHERE state = 0 AND method = $1::text \
     AND (ready_time, uid) >= ($3::bigint, $4::uuid) AND (ready_time, uid) < ($5::bigint, $6::uuid) \
     AND ready_time <= coalesce($7::bigint, ",
    begun!(),
    ") ORDER BY ready_time, uid LIMIT $2::bigint FOR UPDATE SKIP LOCKED)",
    claim_taken!("$8", "$9"),
);

/// Claims operations that are ready at that time, or now, the longest first: of each method as many as it
/// says, and of those the first. With a time in `$8`, claims none while a suspect waits, or while a lease has
/// expired that ends at that time or later. Returns the rows before the claim, and its time.
pub(crate) const CLAIM: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT coalesce($4::bigint, ",
    clock!(),
    ") AS now), c AS MATERIALIZED (SELECT r.* \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS m (method, most, since) \
     CROSS JOIN LATERAL (SELECT ",
    columns!(),
    " FROM {operation} WHERE state = 0 AND method = m.method AND ready_time >= m.since \
     AND ready_time <= coalesce($4::bigint, ",
    begun!(),
    ") ORDER BY ready_time, uid LIMIT m.most \
     FOR UPDATE SKIP LOCKED) AS r WHERE $8::bigint IS NULL OR NOT EXISTS (SELECT FROM {operation} s \
     WHERE s.suspect_time IS NOT NULL AND s.state = 0 AND s.method = ANY($1::text[])) \
     AND NOT EXISTS (SELECT FROM {operation} e \
     WHERE e.lease_expire_time IS NOT NULL AND e.lease_expire_time >= $8::bigint \
     AND e.lease_expire_time < coalesce($4::bigint, ",
    begun!(),
    ")) ORDER BY r.ready_time, r.uid LIMIT $5::bigint)",
    claim_taken!("$6", "$7"),
);

/// The ready operations of each method, as far as they are counted.
pub(crate) const BACKLOG: &str = "SELECT method, count(*), min(ready_time) FROM ( \
     SELECT method, ready_time FROM {operation} \
     WHERE state = 0 AND ready_time <= $1 ORDER BY method, ready_time LIMIT $2 \
     ) ready GROUP BY method";

/// The operations of those names, or one row of nulls if there is none. Last, [`READ_ONLY`].
pub(crate) const GET: &str = concat!(
    "SELECT ",
    columns!(),
    ", read_only FROM (SELECT ",
    read_only!(),
    " AS read_only) AS s LEFT JOIN {operation} ON name = ANY($1::text[])"
);

// Hints need not survive a crash, so no sender waits for the disk.
pub(crate) const NOTIFY: &str = "SELECT set_config('synchronous_commit', 'off', true), \
     pg_notify($1::text, payload) FROM unnest($2::text[]) AS n (payload)";

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_ends_after_the_latest_time() {
        let latest = lro_core::Timestamp::MAX.as_micros();
        assert_eq!(latest!(), latest.to_string());
    }
}
