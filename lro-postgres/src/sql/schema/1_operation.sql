-- One row an operation. Columns of fixed width first, so that none is padded and a payload is never walked through.
-- Times are microseconds since the Unix epoch; the 64 bits of unsigned numbers are kept as they are.
-- Text that may hold any character is escaped: \\ is a backslash, \0 is NUL, which PostgreSQL does not take.
CREATE TABLE operation (
    uid uuid NOT NULL,
    revision bigint NOT NULL,
    attempt bigint NOT NULL,
    fence bigint NOT NULL,
    max_attempts bigint NOT NULL,
    retain_seconds bigint NOT NULL,
    create_time bigint NOT NULL,
    ready_time bigint NOT NULL,
    update_time bigint NOT NULL,
    start_time bigint,
    cancel_time bigint,
    delete_time bigint,
    end_time bigint,
    expire_time bigint,
    lease_expire_time bigint,
    lease_worker uuid,
    retain_nanos integer NOT NULL,
    state smallint NOT NULL,
    on_crash smallint NOT NULL,
    result_kind smallint,       -- 0: result is an Any (the response), 1: a google.rpc.Status
    name text COLLATE "C" NOT NULL,
    parent text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    request_id text COLLATE "C",
    exclusive_key text COLLATE "C",
    request_digest bytea,       -- SHA-256 of method, parent and request id: what is unique
    request_fingerprint bytea,
    exclusive_digest bytea,     -- SHA-256 of the exclusive key
    labels bytea,               -- an encoded map<string, string> in field 1
    origin bytea,               -- an encoded lro_core::Origin
    metadata bytea,             -- an encoded google.protobuf.Any, like checkpoint and request
    checkpoint bytea,
    result bytea,
    request bytea NOT NULL,
    CONSTRAINT operation_by_uid PRIMARY KEY (uid)
) WITH (
    -- Room for the next version of a row on its own page.
    fillfactor = 75,
    -- A queue is vacuumed after so many dead rows, not after a share of all that ever ended.
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 0
);

-- Payloads are often compressed already, and are never searched.
ALTER TABLE operation ALTER COLUMN request SET STORAGE EXTERNAL;
ALTER TABLE operation ALTER COLUMN metadata SET STORAGE EXTERNAL;
ALTER TABLE operation ALTER COLUMN checkpoint SET STORAGE EXTERNAL;
ALTER TABLE operation ALTER COLUMN result SET STORAGE EXTERNAL;

CREATE UNIQUE INDEX operation_by_name ON operation (name);

CREATE INDEX operation_by_parent ON operation (parent, create_time, uid);

-- For lists that go through several parents. New entries come at its end.
CREATE INDEX operation_by_create_time ON operation (create_time, uid);

CREATE UNIQUE INDEX operation_by_request ON operation (request_digest)
    WHERE request_digest IS NOT NULL;

CREATE UNIQUE INDEX operation_by_exclusive_key ON operation (exclusive_digest)
    WHERE exclusive_digest IS NOT NULL AND end_time IS NULL;

CREATE INDEX operation_ready ON operation (method, ready_time, uid) WHERE state = 0;

CREATE INDEX operation_leased ON operation (lease_expire_time, uid)
    WHERE lease_expire_time IS NOT NULL;

CREATE INDEX operation_expiring ON operation (expire_time, uid) WHERE expire_time IS NOT NULL;
