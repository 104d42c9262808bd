//! Removals of operations whose expiry time has passed.

/// Removes the first `$2` that have expired at the time `$1`, or now.
macro_rules! purge {
    ($and:literal) => {
        concat!(
            "DELETE FROM {operation} WHERE uid = ANY(ARRAY(SELECT o.uid FROM {operation} o \
             WHERE o.expire_time IS NOT NULL AND o.expire_time <= coalesce($1::bigint, ",
            begun!(),
            ")",
            $and,
            " ORDER BY o.expire_time, o.uid LIMIT $2::bigint FOR UPDATE SKIP LOCKED)) \
             RETURNING name, state, uid"
        )
    };
}

pub(crate) const PURGE: &str = purge!("");

/// The same from the key `($3, $4)` of expiry times and uids up to just before `($5, $6)`.
pub(crate) const PURGE_WITHIN: &str = purge!(
    " AND (o.expire_time, o.uid) >= ($3::bigint, $4::uuid) \
     AND (o.expire_time, o.uid) < ($5::bigint, $6::uuid)"
);
