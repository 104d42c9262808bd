-- Lists are ordered by create time, then by uid: the order that a restriction of the create time cuts
-- in one place. Every index for lists ends in these two, so that a stretch of it is in the order, and
-- holds every column that a list's statements ask of it, so that they leave rows alone.
DROP INDEX operation_by_parent;

CREATE INDEX operation_by_parent ON operation (parent, create_time, uid, delete_time)
    WHERE delete_time IS NULL;

-- For lists that go through many parents.
CREATE INDEX operation_by_create_time ON operation (create_time, uid, delete_time)
    WHERE delete_time IS NULL;

-- For lists of a method or a state, in two parts: one that operations come to at their end, where
-- they stay, and one of those that have not ended, which is small. So the life of an operation costs
-- one entry more than without them. The second is for recovery as well, which wants hidden
-- operations too.
CREATE INDEX operation_done ON operation (parent, method, state, create_time, uid, end_time)
    WHERE end_time IS NOT NULL;

DROP INDEX operation_unfinished;

CREATE INDEX operation_unfinished
    ON operation (parent, method, state, delete_time, create_time, uid, end_time)
    WHERE end_time IS NULL;

-- Labels once more, for lists: keys and values in the Unicode normal form C, as they are compared.
CREATE TABLE label (
    parent TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    uid BLOB NOT NULL,
    PRIMARY KEY (parent, key, value, create_time, uid)
) STRICT, WITHOUT ROWID;
