-- How often in a row the worker was lost while the body ran; when a pending operation with losses, a suspect, is ready
-- (its ready_time is then the largest number, so that claims of other operations do not find it); and whether the
-- worker has lost another operation since the lease began or was renewed.
ALTER TABLE {schema}.operation
    ADD COLUMN IF NOT EXISTS losses bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS suspect_time bigint,
    ADD COLUMN IF NOT EXISTS lease_shared boolean NOT NULL DEFAULT false;
