-- One row an operation. Scalars first, so that a scan for them does not walk through payloads.
-- Times are microseconds since the Unix epoch; the 64 bits of unsigned numbers are kept as they are.
CREATE TABLE operation (
    uid BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    parent TEXT NOT NULL,
    method TEXT NOT NULL,
    state INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    on_crash INTEGER NOT NULL,
    retain_seconds INTEGER NOT NULL,
    retain_nanos INTEGER NOT NULL,
    lease_worker BLOB,
    lease_expire_time INTEGER,
    create_time INTEGER NOT NULL,
    ready_time INTEGER NOT NULL,
    start_time INTEGER,
    update_time INTEGER NOT NULL,
    cancel_time INTEGER,
    delete_time INTEGER,
    end_time INTEGER,
    expire_time INTEGER,
    request_id TEXT,
    request_fingerprint BLOB,
    exclusive_key TEXT,
    labels BLOB,            -- an encoded map<string, string> in field 1
    origin BLOB,            -- an encoded lro_core::Origin
    metadata BLOB,          -- an encoded google.protobuf.Any, like checkpoint and request
    checkpoint BLOB,
    result_kind INTEGER,    -- 0: result is an Any (the response), 1: a google.rpc.Status
    result BLOB,
    request BLOB            -- NULL: it is large, and in large_request
) STRICT, WITHOUT ROWID;

-- Requests that are not to be written again with every change of their operation.
CREATE TABLE large_request (
    uid BLOB NOT NULL PRIMARY KEY REFERENCES operation (uid) ON DELETE CASCADE,
    request BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX operation_by_name ON operation (name);

CREATE INDEX operation_by_parent ON operation (parent, uid) WHERE delete_time IS NULL;

CREATE UNIQUE INDEX operation_by_request_id ON operation (method, parent, request_id)
    WHERE request_id IS NOT NULL;

CREATE UNIQUE INDEX operation_by_exclusive_key ON operation (exclusive_key)
    WHERE exclusive_key IS NOT NULL AND end_time IS NULL;

-- For recovery alone: pending operations and leases are found in memory afterwards. So neither a
-- claim nor a renewal touches an index.
CREATE INDEX operation_unfinished ON operation (uid) WHERE end_time IS NULL;

CREATE INDEX operation_by_expire_time ON operation (expire_time) WHERE expire_time IS NOT NULL;
