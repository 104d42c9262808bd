-- When the attempt under way, or the last one, began, if it is not the first; and the encoded lro_core::History: earlier
-- attempts, and who cancelled or deleted the operation. Both are NULL of an operation that runs once, whose worker stays
-- in lease_worker when it ends.
ALTER TABLE operation ADD COLUMN attempt_time INTEGER;
ALTER TABLE operation ADD COLUMN history BLOB;
