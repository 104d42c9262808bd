-- The encoded lro_core::StepSummary, NULL of an operation that has recorded no step; and the fence of the last claim of an
-- operation with steps, by which a process shows that it knows steps.
ALTER TABLE {schema}.operation
    ADD COLUMN IF NOT EXISTS steps bytea,
    ADD COLUMN IF NOT EXISTS steps_fence bigint;

-- One row for each durable call that a body has recorded. Rows are read by operation, so no other index is needed.
CREATE TABLE IF NOT EXISTS {schema}.operation_step (
    uid uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,        -- its place in the order of the first writes, from 1
    attempt bigint NOT NULL,
    fence bigint NOT NULL,
    begin_time bigint NOT NULL,
    end_time bigint,
    wake_time bigint,
    kind smallint NOT NULL,
    value_kind smallint,        -- 0: value is an Any, 1: a google.rpc.Status, 2: abandoned, 3: the Status of an attempt
    sequential boolean NOT NULL,
    key text COLLATE "C" NOT NULL,
    value bytea,
    CONSTRAINT operation_step_by_key PRIMARY KEY (uid, epoch, key)
);

ALTER TABLE {schema}.operation_step ALTER COLUMN value SET STORAGE EXTERNAL;

-- The triggers keep these rules, and not the program, so that processes of a version before this one keep them too.

-- Steps go with their operation.
CREATE OR REPLACE FUNCTION {schema}.operation_step_remove() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $body$
BEGIN
    DELETE FROM {schema}.operation_step AS s WHERE s.uid = OLD.uid;
    RETURN NULL;
END
$body$;

-- A process that knows no steps would run the body from its beginning: it does not get the operation.
CREATE OR REPLACE FUNCTION {schema}.operation_step_guard() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RETURN NULL;
END
$body$;

DO $body$
BEGIN
    CREATE TRIGGER operation_step_remove AFTER DELETE ON {schema}.operation
        FOR EACH ROW WHEN (OLD.steps IS NOT NULL) EXECUTE FUNCTION {schema}.operation_step_remove();
    CREATE TRIGGER operation_step_guard BEFORE UPDATE ON {schema}.operation
        FOR EACH ROW WHEN (OLD.steps IS NOT NULL AND OLD.state = 0 AND NEW.state = 1
            AND NEW.steps_fence IS DISTINCT FROM NEW.fence)
        EXECUTE FUNCTION {schema}.operation_step_guard();
EXCEPTION
    WHEN duplicate_object THEN NULL;
END
$body$;
