//! Parents and children.

use crate::sql::row::head;

/// Completes the row of a child.
pub(crate) const SET_PARENT: &str = "UPDATE {operation} SET parent_step = $2::bytea, parent_operation = $3::text \
     WHERE uid = $1::uuid";

/// Those that no other transaction has locked.
pub(crate) const LOCK_FAMILY: &str = concat!(
    "SELECT ",
    head!(),
    " FROM {operation} WHERE uid = ANY($1::uuid[]) ORDER BY uid FOR UPDATE SKIP LOCKED"
);

/// Those that there are.
pub(crate) const NAMES_OF_FAMILY: &str =
    "SELECT uid, name FROM {operation} WHERE uid = ANY($1::uuid[])";

pub(crate) const PUT_WAKES: &str = "INSERT INTO {wake} (told) SELECT * FROM unnest($1::bytea[])";

pub(crate) const TAKE_WAKES: &str =
    "SELECT id, told FROM {wake} ORDER BY id LIMIT $1::bigint FOR UPDATE SKIP LOCKED";

pub(crate) const REMOVE_WAKES: &str = "DELETE FROM {wake} WHERE id = ANY($1::bigint[])";

pub(crate) const MOVE_WAKES: &str = "UPDATE {wake} SET id = DEFAULT WHERE id = ANY($1::bigint[])";

/// Those that are prepared.
pub(super) const FAMILY: [&str; 7] = [
    SET_PARENT,
    LOCK_FAMILY,
    NAMES_OF_FAMILY,
    PUT_WAKES,
    TAKE_WAKES,
    REMOVE_WAKES,
    MOVE_WAKES,
];
