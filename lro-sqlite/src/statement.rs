//! The statements on the table of operations, as text.

use crate::row::{columns, inserted, listed};

macro_rules! request {
    () => {
        "ifnull(request, (SELECT l.request FROM large_request l WHERE l.uid = operation.uid))"
    };
}

/// Whether an operation is [far](crate::schedule::Entry::Far).
macro_rules! far {
    ($state:literal, $ready_time:literal, $create_time:literal) => {
        concat!(
            "(",
            $state,
            " = 0 AND ",
            $ready_time,
            " > ",
            $create_time,
            " + 3600000000)"
        )
    };
}

pub(crate) const INSERT: &str = concat!(
    "INSERT INTO operation (",
    inserted!(),
    ", request, parent, far) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
     ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, \
     ?33, ",
    far!("?4", "?15", "?14"),
    ") ON CONFLICT DO NOTHING",
);

/// Completes the row of a child.
pub(crate) const INSERT_PARENT: &str =
    "UPDATE operation SET parent_step = ?2, parent_operation = ?3 WHERE uid = ?1";

pub(crate) const INSERT_LARGE_REQUEST: &str =
    "INSERT INTO large_request (uid, request) VALUES (?1, ?2)";

pub(crate) const INSERT_PAGE_TOKEN_KEY: &str =
    "INSERT INTO secret (name, value) VALUES ('page_token_key', ?1)";

pub(crate) const PAGE_TOKEN_KEY: &str = "SELECT value FROM secret WHERE name = 'page_token_key'";

pub(crate) const GET: &str = concat!(
    "SELECT ",
    columns!(),
    ", ",
    request!(),
    " FROM operation WHERE name = ?1 AND delete_time IS NULL"
);

pub(crate) const GET_DELETED: &str = concat!(
    "SELECT ",
    columns!(),
    ", ",
    request!(),
    " FROM operation WHERE name = ?1 AND delete_time IS NOT NULL"
);

macro_rules! timers {
    ($columns:literal, $conditions:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM operation INDEXED BY operation_timer WHERE far = 1 AND end_time IS NULL \
             AND ready_time < 253402300799999999 AND ",
            $conditions
        )
    };
}

/// The far operations behind a point, in the order of their ready times.
pub(crate) const TIMERS: &str = timers!(
    "uid, 0, method, ready_time, losses",
    "(ready_time, uid) > (?1, ?2) ORDER BY ready_time, uid LIMIT ?3"
);

/// The ready operations of each method, as far as they are counted.
pub(crate) const BACKLOG: &str = concat!(
    "SELECT method, count(*), min(ready_time) FROM ( \
     SELECT method, ready_time FROM operation INDEXED BY operation_unfinished \
     WHERE far = 0 AND end_time IS NULL AND state = 0 AND losses = 0 AND ready_time <= ?1 \
     UNION ALL ",
    timers!("method, ready_time", "losses = 0 AND ready_time <= ?1"),
    " LIMIT ?2) GROUP BY method"
);

/// The operations that recovery reads: those that are not far.
pub(crate) const UNFINISHED: &str = "SELECT uid, state, method, ready_time, losses FROM operation \
     INDEXED BY operation_unfinished WHERE far = 0 AND end_time IS NULL";

/// The index holds all columns of it.
pub(crate) const UNFINISHED_UIDS: &str = "SELECT uid FROM operation \
     INDEXED BY operation_unfinished WHERE far = 0 AND end_time IS NULL";

pub(crate) const UNFINISHED_ROW: &str = "SELECT uid, state, method, ready_time, losses \
     FROM operation WHERE uid = ?1 AND end_time IS NULL";

/// A row of a list; conditions may follow.
pub(crate) const LISTED: &str = concat!(
    "SELECT ",
    listed!(),
    " FROM operation WHERE uid = ?1 AND delete_time IS NULL"
);

macro_rules! keys {
    ($from:literal) => {
        concat!(
            "SELECT create_time, uid FROM ",
            $from,
            " AND (create_time, uid) < (?1, ?2) AND create_time >= ?3 \
             ORDER BY create_time DESC, uid DESC LIMIT ?4"
        )
    };
}

pub(crate) const KEYS: &str =
    keys!("operation INDEXED BY operation_by_create_time WHERE delete_time IS NULL");

pub(crate) const KEYS_OF_PARENT: &str =
    keys!("operation INDEXED BY operation_by_parent WHERE delete_time IS NULL AND parent = ?5");

pub(crate) const KEYS_OF_DONE: &str = keys!(
    "operation INDEXED BY operation_done WHERE end_time IS NOT NULL \
     AND parent = ?5 AND method = ?6 AND state = ?7"
);

pub(crate) const KEYS_OF_NEAR: &str = keys!(
    "operation INDEXED BY operation_unfinished WHERE far = 0 AND end_time IS NULL \
     AND parent = ?5 AND method = ?6 AND state = ?7 AND delete_time IS NULL"
);

pub(crate) const KEYS_OF_FAR: &str = keys!(
    "operation INDEXED BY operation_unfinished WHERE far = 1 AND end_time IS NULL \
     AND parent = ?5 AND method = ?6 AND state = ?7 AND delete_time IS NULL"
);

/// The number of operations of a group, as far as they are counted.
pub(crate) const COUNT_DONE: &str = "SELECT count(*) FROM (SELECT 1 FROM operation \
     INDEXED BY operation_done WHERE end_time IS NOT NULL \
     AND parent = ?1 AND method = ?2 AND state = ?3 LIMIT ?4)";

pub(crate) const COUNT_NEAR: &str = "SELECT count(*) FROM (SELECT 1 FROM operation \
     INDEXED BY operation_unfinished WHERE far = 0 AND end_time IS NULL \
     AND parent = ?1 AND method = ?2 AND state = ?3 AND delete_time IS NULL LIMIT ?4)";

pub(crate) const COUNT_FAR: &str = "SELECT count(*) FROM (SELECT 1 FROM operation \
     INDEXED BY operation_unfinished WHERE far = 1 AND end_time IS NULL \
     AND parent = ?1 AND method = ?2 AND state = ?3 AND delete_time IS NULL LIMIT ?4)";

pub(crate) const KEYS_OF_LABEL: &str = keys!("label WHERE parent = ?5 AND key = ?6 AND value = ?7");

/// Children of an operation, of whichever parent in the name. Some of them may be deleted.
pub(crate) const KEYS_OF_CHILDREN: &str =
    keys!("operation INDEXED BY operation_by_parent_operation WHERE parent_operation = ?5");

pub(crate) const PARENT_FROM: &str = "SELECT parent FROM operation INDEXED BY operation_by_parent \
     WHERE delete_time IS NULL AND parent >= ?1 ORDER BY parent LIMIT 1";

pub(crate) const PARENT_OPERATION_FROM: &str = "SELECT parent_operation FROM operation \
     INDEXED BY operation_by_parent_operation \
     WHERE parent_operation >= ?1 ORDER BY parent_operation LIMIT 1";

pub(crate) const DONE_METHOD_FROM: &str = "SELECT method FROM operation INDEXED BY operation_done \
     WHERE end_time IS NOT NULL AND parent = ?2 AND method >= ?1 ORDER BY method LIMIT 1";

pub(crate) const NEAR_METHOD_FROM: &str = "SELECT method FROM operation \
     INDEXED BY operation_unfinished \
     WHERE far = 0 AND end_time IS NULL AND parent = ?2 AND method >= ?1 ORDER BY method LIMIT 1";

pub(crate) const FAR_METHOD_FROM: &str = "SELECT method FROM operation \
     INDEXED BY operation_unfinished \
     WHERE far = 1 AND end_time IS NULL AND parent = ?2 AND method >= ?1 ORDER BY method LIMIT 1";

pub(crate) const LABEL_VALUE_FROM: &str = "SELECT value FROM label \
     WHERE parent = ?2 AND key = ?3 AND value >= ?1 ORDER BY value LIMIT 1";

pub(crate) const INSERT_LABEL: &str = "INSERT OR IGNORE INTO label (parent, key, value, create_time, uid) VALUES (?1, ?2, ?3, ?4, ?5)";

/// The parts of a row that have rows of other tables.
pub(crate) const DEPENDENTS: &str = "SELECT parent, create_time, labels, steps IS NOT NULL FROM operation \
     WHERE uid = ?1 AND (labels IS NOT NULL OR steps IS NOT NULL)";

pub(crate) const REMOVE_LABEL: &str = "DELETE FROM label \
     WHERE parent = ?1 AND key = ?2 AND value = ?3 AND create_time = ?4 AND uid = ?5";

pub(crate) const BY_UID: &str = concat!(
    "SELECT ",
    columns!(),
    ", ",
    request!(),
    " FROM operation WHERE uid = ?1"
);

pub(crate) const BY_REQUEST_ID: &str = concat!(
    "SELECT ",
    columns!(),
    ", ",
    request!(),
    " FROM operation INDEXED BY operation_by_request_id \
     WHERE method = ?1 AND parent = ?2 AND request_id = ?3"
);

pub(crate) const BY_NAME_TO_CHANGE: &str = concat!(
    "SELECT ",
    columns!(),
    ", NULL FROM operation WHERE name = ?1"
);

pub(crate) const BY_UID_TO_CHANGE: &str = concat!(
    "SELECT ",
    columns!(),
    ", NULL FROM operation WHERE uid = ?1"
);

pub(crate) const NAME_BY_EXCLUSIVE_KEY: &str = "SELECT name FROM operation INDEXED BY operation_by_exclusive_key \
     WHERE exclusive_key = ?1 AND end_time IS NULL";

pub(crate) const NAME_EXISTS: &str = "SELECT 1 FROM operation WHERE name = ?1";

pub(crate) const NAME_BY_UID: &str = "SELECT name FROM operation WHERE uid = ?1";

pub(crate) const EXPIRED: &str = "SELECT uid, name, state FROM operation \
     INDEXED BY operation_by_expire_time WHERE expire_time IS NOT NULL AND expire_time <= ?1 \
     ORDER BY expire_time, uid LIMIT ?2";

/// The index holds the uid.
pub(crate) const EXPIRED_UIDS: &str = "SELECT uid FROM operation \
     INDEXED BY operation_by_expire_time WHERE expire_time IS NOT NULL AND expire_time <= ?1 \
     ORDER BY expire_time, uid LIMIT ?2";

pub(crate) const EXPIRED_ROW: &str = "SELECT uid, name, state FROM operation WHERE uid = ?1";

pub(crate) const RENEW: &str = "UPDATE operation SET lease_expire_time = ?2 WHERE uid = ?1";

// None of the five writes a column of an index of lists that it does not move in.

/// Writes what a command may change of an operation that runs before and after it.
pub(crate) const ADVANCE: &str = "UPDATE operation SET revision = ?2, attempt = ?3, fence = ?4, \
     lease_worker = ?5, lease_expire_time = ?6, start_time = ?8, \
     update_time = ?9, cancel_time = ?10, metadata = ?11, checkpoint = ?12, losses = ?13, \
     attempt_time = ?14, history = ?15, steps = ?16 \
     WHERE uid = ?1";

pub(crate) const ADVANCE_STATE: &str = concat!(
    "UPDATE operation SET revision = ?2, attempt = ?3, fence = ?4, \
     lease_worker = ?5, lease_expire_time = ?6, ready_time = ?7, start_time = ?8, \
     update_time = ?9, cancel_time = ?10, metadata = ?11, checkpoint = ?12, losses = ?13, \
     attempt_time = ?14, history = ?15, steps = ?16, state = ?17, far = ",
    far!("?17", "?7", "create_time"),
    " WHERE uid = ?1"
);

/// Writes what a record of steps may change of an operation that runs, and leaves the checkpoint alone.
pub(crate) const RECORD: &str = "UPDATE operation SET revision = ?2, update_time = ?3, attempt = ?4, losses = ?5, \
     metadata = ?6, steps = ?7 WHERE uid = ?1";

pub(crate) const HIDE: &str = "UPDATE operation SET revision = ?2, update_time = ?3, delete_time = ?4, history = ?5 WHERE uid = ?1";

pub(crate) const FINISH: &str = "UPDATE operation SET state = ?2, revision = ?3, lease_expire_time = NULL, \
     lease_worker = ?11, attempt_time = ?12, history = ?13, update_time = ?4, cancel_time = ?5, end_time = ?6, \
     expire_time = ?7, metadata = ?8, checkpoint = NULL, result_kind = ?9, result = ?10, \
     attempt = ?14, losses = ?15, steps = ?16, far = 0 \
     WHERE uid = ?1";

pub(crate) const REMOVE: &str = "DELETE FROM operation WHERE uid = ?1";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn statements_walk_along_one_index_and_sort_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&mut connection).unwrap();
        let range = "create_time>? AND (create_time,uid)<(?,?)";
        for (sql, index, key) in [
            (KEYS, "operation_by_create_time", ""),
            (KEYS_OF_PARENT, "operation_by_parent ", "parent=?"),
            (KEYS_OF_DONE, "operation_done", "state=?"),
            (KEYS_OF_NEAR, "operation_unfinished", "delete_time=?"),
            (KEYS_OF_FAR, "operation_unfinished", "delete_time=?"),
            (KEYS_OF_LABEL, "PRIMARY KEY", "value=?"),
            (
                KEYS_OF_CHILDREN,
                "operation_by_parent_operation",
                "parent_operation=?",
            ),
            (PARENT_FROM, "operation_by_parent ", "parent>?"),
            (
                PARENT_OPERATION_FROM,
                "operation_by_parent_operation",
                "parent_operation>?",
            ),
            (DONE_METHOD_FROM, "operation_done", "method>?"),
            (NEAR_METHOD_FROM, "operation_unfinished", "method>?"),
            (FAR_METHOD_FROM, "operation_unfinished", "method>?"),
            (UNFINISHED_UIDS, "operation_unfinished", "far=?"),
            (TIMERS, "operation_timer", "(ready_time,uid)>(?,?)"),
            (LABEL_VALUE_FROM, "PRIMARY KEY", "value>?"),
        ] {
            let plan = format!("EXPLAIN QUERY PLAN {sql}");
            let mut statement = connection.prepare(&plan).unwrap();
            let parameters = vec![1; statement.parameter_count()];
            let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| {
                row.get::<_, String>("detail")
            });
            let steps: Vec<_> = steps.unwrap().map(Result::unwrap).collect();
            let [step] = steps.as_slice() else {
                panic!("{sql}: {steps:?}");
            };
            let alone = step.contains("COVERING INDEX") || index == "PRIMARY KEY";
            assert!(step.starts_with("SEARCH ") && alone, "{sql}: {step}");
            assert!(step.contains(index) && step.contains(key), "{sql}: {step}");
            assert!(
                step.contains(range) || !sql.contains("DESC"),
                "{sql}: {step}"
            );
        }
    }
}
