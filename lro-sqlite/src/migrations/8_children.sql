-- The encoded lro_core::ParentStep of an operation that a step of another one has started, and the name of that one.
ALTER TABLE operation ADD COLUMN parent_step BLOB;
ALTER TABLE operation ADD COLUMN parent_operation TEXT;

CREATE INDEX operation_by_parent_operation ON operation (parent_operation, create_time, uid)
    WHERE parent_operation IS NOT NULL;

-- The encoded lro_core::Child of a step that has started an operation.
ALTER TABLE step ADD COLUMN child BLOB;
