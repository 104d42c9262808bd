-- Lists are ordered by create time, then by uid: the order that a restriction of the create time cuts
-- in one place.
DROP INDEX operation_by_parent;

CREATE INDEX operation_by_parent ON operation (parent, create_time, uid) WHERE delete_time IS NULL;

-- For lists that go through several parents.
CREATE INDEX operation_by_create_time ON operation (create_time, uid) WHERE delete_time IS NULL;
