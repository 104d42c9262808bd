//! Losses of workers that held other operations.

/// The workers among these that hold operations other than these.
pub(crate) const HELD: &str = "SELECT DISTINCT lease_worker FROM {operation} \
     WHERE lease_expire_time IS NOT NULL AND lease_worker = ANY($1::uuid[]) \
     AND NOT uid = ANY($2::uuid[])";

/// Marks the leases of those operations. A locked one is being renewed: its worker was not lost.
pub(crate) const SHARE: &str = "UPDATE {operation} SET lease_shared = true \
     WHERE uid = ANY(ARRAY(SELECT o.uid FROM {operation} o WHERE o.lease_expire_time IS NOT NULL \
     AND o.lease_worker = ANY($1::uuid[]) AND NOT o.uid = ANY($2::uuid[]) AND NOT o.lease_shared \
     ORDER BY o.uid FOR UPDATE SKIP LOCKED))";
