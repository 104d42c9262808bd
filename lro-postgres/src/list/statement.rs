//! The statements of lists: keys from index ranges, and their rows.
//!
//! An index range is the part of an index under one prefix, in the list's order. The statement alone
//! determines the index, whatever the planner estimates: sorts are switched off, and only one index
//! provides the order. The orders by states and by parent operations use `create_time + 0`. The order by parents names the
//! parent, which no equality makes superfluous. A row comparison ends a scan only by its first column; so
//! if there is a lower bound of the create time, the parent is compared by equality, because that time
//! would bound another index too. A condition may replace `{and}`; a row that it rejects is returned as
//! its key alone.

use crate::sql::row::{listed, listed_in_block, payload_len};

pub(crate) const ALL: [&str; 18] = [
    LISTED,
    PARENTS,
    PARENT_OPERATIONS,
    METHODS,
    COUNT,
    LABELS,
    KEYS_OF_ALL,
    KEYS_OF_PARENTS,
    KEYS_OF_PARENTS_FROM,
    KEYS_OF_STATES,
    KEYS_OF_LABELS,
    KEYS_OF_CHILDREN,
    ROWS_OF_ALL,
    ROWS_OF_PARENTS,
    ROWS_OF_PARENTS_FROM,
    ROWS_OF_STATES,
    ROWS_OF_LABELS,
    ROWS_OF_CHILDREN,
];

/// The keys below `($1, $2)` from the create time `$3` on, `$4` of each index range, in the columns
/// `create_time` and `uid`.
macro_rules! index_ranges {
    (all) => {
        "SELECT o.create_time, o.uid FROM {operation} AS o \
         WHERE (o.create_time, o.uid) < ($1::bigint, $2::uuid) AND o.create_time >= $3::bigint \
         ORDER BY o.create_time DESC, o.uid DESC LIMIT $4::bigint"
    };
    (parents) => {
        "SELECT t.create_time, t.uid FROM unnest($5::text[]) AS s (parent) \
         CROSS JOIN LATERAL (SELECT o.create_time, o.uid FROM {operation} AS o \
         WHERE (o.parent, o.create_time, o.uid) < (s.parent, $1::bigint, $2::uuid) \
         AND o.parent >= s.parent AND o.create_time >= $3::bigint \
         ORDER BY o.parent DESC, o.create_time DESC, o.uid DESC LIMIT $4::bigint) AS t"
    };
    (parents_from) => {
        "SELECT t.create_time, t.uid FROM unnest($5::text[]) AS s (parent) \
         CROSS JOIN LATERAL (SELECT o.create_time, o.uid FROM {operation} AS o \
         WHERE o.parent = s.parent AND (o.create_time, o.uid) < ($1::bigint, $2::uuid) \
         AND o.create_time >= $3::bigint \
         ORDER BY o.create_time DESC, o.uid DESC LIMIT $4::bigint) AS t"
    };
    (states) => {
        "SELECT t.create_time, t.uid \
         FROM unnest($5::text[], $6::text[], $7::smallint[]) AS s (parent, method, state) \
         CROSS JOIN LATERAL (SELECT o.create_time, o.uid FROM {operation} AS o \
         WHERE o.parent = s.parent AND o.method = s.method AND o.state = s.state \
         AND (o.create_time + 0, o.uid) < ($1::bigint, $2::uuid) AND o.create_time + 0 >= $3::bigint \
         ORDER BY o.create_time + 0 DESC, o.uid DESC LIMIT $4::bigint) AS t"
    };
    // An operation may have several of the labels.
    (labels) => {
        "SELECT DISTINCT t.create_time, t.uid \
         FROM unnest($5::text[], $6::bytea[], $7::bytea[]) AS s (parent, key, value) \
         CROSS JOIN LATERAL (SELECT l.create_time, l.uid FROM {label} AS l \
         WHERE l.parent = s.parent AND l.key = s.key AND l.value = s.value \
         AND (l.create_time, l.uid) < ($1::bigint, $2::uuid) AND l.create_time >= $3::bigint \
         ORDER BY l.create_time DESC, l.uid DESC LIMIT $4::bigint) AS t"
    };
    (children) => {
        "SELECT t.create_time, t.uid \
         FROM unnest($5::text[], $6::text[]) AS s (parent, operation) \
         CROSS JOIN LATERAL (SELECT o.create_time, o.uid FROM {operation} AS o \
         WHERE o.parent_operation = s.operation AND o.parent = s.parent \
         AND (o.create_time + 0, o.uid) < ($1::bigint, $2::uuid) AND o.create_time + 0 >= $3::bigint \
         ORDER BY o.create_time + 0 DESC, o.uid DESC LIMIT $4::bigint) AS t"
    };
}

macro_rules! keys {
    ($kind:ident) => {
        concat!(
            "SELECT k.create_time, k.uid FROM (",
            index_ranges!($kind),
            ") AS k ORDER BY k.create_time DESC, k.uid DESC LIMIT $4::bigint"
        )
    };
}

// The columns of a row are those that are read as a record; then come the bytes that it has and the
// key.
macro_rules! rows {
    ($kind:ident) => {
        concat!(
            "SELECT ",
            listed_in_block!(),
            ", ",
            payload_len!(),
            ", k.key_time, k.key_uid FROM (",
            keys!($kind),
            ") AS k (key_time, key_uid) LEFT JOIN {operation} ON uid = k.key_uid \
             AND create_time = k.key_time AND delete_time IS NULL{and} \
             ORDER BY k.key_time DESC, k.key_uid DESC"
        )
    };
}

pub(crate) const KEYS_OF_ALL: &str = keys!(all);
pub(crate) const KEYS_OF_PARENTS: &str = keys!(parents);
pub(crate) const KEYS_OF_PARENTS_FROM: &str = keys!(parents_from);
pub(crate) const KEYS_OF_STATES: &str = keys!(states);
pub(crate) const KEYS_OF_LABELS: &str = keys!(labels);
pub(crate) const KEYS_OF_CHILDREN: &str = keys!(children);

/// Rows of these uids, with all their bytes.
pub(crate) const LISTED: &str = concat!(
    "SELECT ",
    listed!(),
    " FROM {operation} WHERE uid = ANY($1::uuid[]) AND delete_time IS NULL"
);

/// Rows up to the key `($1, $2)` and above the key `($3, $4)`, at most `$5` of them, and their keys.
pub(crate) const LISTED_WITHIN: &str = concat!(
    "SELECT ",
    listed!(),
    ", create_time, uid FROM {operation} WHERE delete_time IS NULL \
     AND (create_time, uid) <= ($1::bigint, $2::uuid) AND (create_time, uid) > ($3::bigint, $4::uuid) \
     ORDER BY create_time DESC, uid DESC LIMIT $5::bigint"
);

/// The same of the parent `$6`.
pub(crate) const LISTED_OF_PARENT_WITHIN: &str = concat!(
    "SELECT ",
    listed!(),
    ", create_time, uid FROM {operation} WHERE delete_time IS NULL AND parent = $6::text \
     AND (create_time, uid) <= ($1::bigint, $2::uuid) AND (create_time, uid) > ($3::bigint, $4::uuid) \
     ORDER BY parent DESC, create_time DESC, uid DESC LIMIT $5::bigint"
);

pub(crate) const ROWS_OF_ALL: &str = rows!(all);
pub(crate) const ROWS_OF_PARENTS: &str = rows!(parents);
pub(crate) const ROWS_OF_PARENTS_FROM: &str = rows!(parents_from);
pub(crate) const ROWS_OF_STATES: &str = rows!(states);
pub(crate) const ROWS_OF_LABELS: &str = rows!(labels);
pub(crate) const ROWS_OF_CHILDREN: &str = rows!(children);

// The next four jump through an index from one value to the next, however often there is each.

/// The distinct parents that begin with `$1`, at most `$2` of them.
pub(crate) const PARENTS: &str = "WITH RECURSIVE w (parent) AS (\
     (SELECT o.parent FROM {operation} AS o WHERE o.parent >= $1::text ORDER BY o.parent LIMIT 1) \
     UNION ALL SELECT n.parent FROM w CROSS JOIN LATERAL \
     (SELECT o.parent FROM {operation} AS o WHERE o.parent > w.parent ORDER BY o.parent LIMIT 1) AS n \
     WHERE starts_with(w.parent, $1::text)) \
     SELECT w.parent FROM w WHERE starts_with(w.parent, $1::text) LIMIT $2::bigint";

/// The distinct operations that have children and whose names begin with `$1`, at most `$2` of them.
pub(crate) const PARENT_OPERATIONS: &str = "WITH RECURSIVE w (name) AS (\
     (SELECT o.parent_operation FROM {operation} AS o WHERE o.parent_operation >= $1::text \
     ORDER BY o.parent_operation LIMIT 1) \
     UNION ALL SELECT n.name FROM w CROSS JOIN LATERAL \
     (SELECT o.parent_operation AS name FROM {operation} AS o WHERE o.parent_operation > w.name \
     ORDER BY o.parent_operation LIMIT 1) AS n \
     WHERE starts_with(w.name, $1::text)) \
     SELECT w.name FROM w WHERE starts_with(w.name, $1::text) LIMIT $2::bigint";

/// The distinct methods of each of the parents, at most `$2` of them.
pub(crate) const METHODS: &str = "SELECT p.parent, m.method FROM unnest($1::text[]) AS p (parent) \
     CROSS JOIN LATERAL (WITH RECURSIVE w (method) AS (\
     (SELECT o.method FROM {operation} AS o WHERE (o.parent, o.method) >= (p.parent, '') \
     AND o.parent <= p.parent ORDER BY o.parent, o.method LIMIT 1) \
     UNION ALL SELECT n.method FROM w CROSS JOIN LATERAL \
     (SELECT o.method FROM {operation} AS o WHERE (o.parent, o.method) > (p.parent, w.method) \
     AND o.parent <= p.parent ORDER BY o.parent, o.method LIMIT 1) AS n) \
     SELECT w.method FROM w) AS m LIMIT $2::bigint";

/// The number of operations of each parent, method and state, up to `$4`, with the number of the
/// group. In the order of the index, which therefore leads to them.
pub(crate) const COUNT: &str = "SELECT s.place, c.found \
     FROM unnest($1::text[], $2::text[], $3::smallint[]) WITH ORDINALITY \
     AS s (parent, method, state, place) \
     CROSS JOIN LATERAL (SELECT count(*) AS found FROM (SELECT FROM {operation} AS o \
     WHERE o.parent = s.parent AND o.method = s.method AND o.state = s.state \
     AND o.delete_time IS NULL \
     ORDER BY o.create_time + 0 DESC, o.uid DESC LIMIT $4::bigint) AS t) AS c";

/// The distinct labels between two of each parent, both included, at most `$6` of each range, with
/// the number of the range. The end is looked at behind each jump, for it would not end a scan.
pub(crate) const LABELS: &str = "SELECT r.place, m.key, m.value \
     FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[]) WITH ORDINALITY \
     AS r (parent, first_key, first_value, last_key, last_value, place) \
     CROSS JOIN LATERAL (WITH RECURSIVE w (key, value) AS (\
     (SELECT l.key, l.value FROM {label} AS l \
     WHERE (l.parent, l.key, l.value) >= (r.parent, r.first_key, r.first_value) \
     AND l.parent <= r.parent ORDER BY l.parent, l.key, l.value LIMIT 1) \
     UNION ALL SELECT n.key, n.value FROM w CROSS JOIN LATERAL (SELECT l.key, l.value FROM {label} AS l \
     WHERE (l.parent, l.key, l.value) > (r.parent, w.key, w.value) \
     AND l.parent <= r.parent ORDER BY l.parent, l.key, l.value LIMIT 1) AS n \
     WHERE (w.key, w.value) <= (r.last_key, r.last_value)) \
     SELECT w.key, w.value FROM w WHERE (w.key, w.value) <= (r.last_key, r.last_value) \
     LIMIT $6::bigint) AS m";
