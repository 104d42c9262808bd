//! Parents and children.

use crate::sql::row::head;

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
pub(super) const FAMILY: [&str; 6] = [
    LOCK_FAMILY,
    NAMES_OF_FAMILY,
    PUT_WAKES,
    TAKE_WAKES,
    REMOVE_WAKES,
    MOVE_WAKES,
];
