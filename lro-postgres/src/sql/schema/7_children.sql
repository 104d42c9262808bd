-- The encoded lro_core::ParentStep of an operation that a step of another one has started, and the name of that one.
ALTER TABLE {schema}.operation
    ADD COLUMN IF NOT EXISTS parent_step bytea,
    ADD COLUMN IF NOT EXISTS parent_operation text COLLATE "C";

-- The encoded lro_core::Child of a step that has started an operation.
ALTER TABLE {schema}.operation_step ADD COLUMN IF NOT EXISTS child bytea;

-- The ends of children whose parents were locked, and cancellations of children that were. The next claim applies them. Most
-- of the time it is empty.
CREATE TABLE IF NOT EXISTS {schema}.operation_wake (
    id bigint GENERATED ALWAYS AS IDENTITY,
    told bytea NOT NULL,
    CONSTRAINT operation_wake_by_id PRIMARY KEY (id)
);

-- A process that knows no children would end one without its parent: it does not get the operation.
DROP TRIGGER IF EXISTS operation_step_guard ON {schema}.operation;

CREATE TRIGGER operation_step_guard BEFORE UPDATE ON {schema}.operation
    FOR EACH ROW WHEN ((OLD.steps IS NOT NULL OR OLD.parent_step IS NOT NULL) AND OLD.state = 0 AND NEW.state = 1
        AND NEW.steps_fence IS DISTINCT FROM NEW.fence)
    EXECUTE FUNCTION {schema}.operation_step_guard();
