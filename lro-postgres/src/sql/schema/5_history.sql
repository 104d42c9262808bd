-- When the attempt under way, or the last one, began, if it is not the first; and the encoded lro_core::History: earlier
-- attempts, and who cancelled or deleted the operation. Both are NULL of an operation that runs once, whose worker stays
-- in lease_worker when it ends.
ALTER TABLE {schema}.operation
    ADD COLUMN IF NOT EXISTS attempt_time bigint,
    ADD COLUMN IF NOT EXISTS history bytea;
