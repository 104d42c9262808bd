-- The encoded lro_core::StepSummary; NULL of an operation that has recorded no step.
ALTER TABLE operation ADD COLUMN steps BLOB;

-- One row for each durable call that a body has recorded. Rows are read by operation, so no other index is needed.
CREATE TABLE step (
    uid BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,       -- its place in the order of the first writes, from 1
    kind INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    sequential INTEGER NOT NULL,
    begin_time INTEGER NOT NULL,
    end_time INTEGER,
    wake_time INTEGER,
    value_kind INTEGER,         -- 0: value is an Any, 1: a google.rpc.Status, 2: abandoned, 3: the Status of an attempt
    value BLOB,
    PRIMARY KEY (uid, epoch, key)
) STRICT, WITHOUT ROWID;
