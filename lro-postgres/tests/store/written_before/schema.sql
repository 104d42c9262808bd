--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: written_before; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA written_before;


--
-- Name: label_add(); Type: FUNCTION; Schema: written_before; Owner: -
--

CREATE FUNCTION written_before.label_add() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO "written_before".label (parent, key, value, create_time, uid)
        SELECT NEW.parent, e.key, e.value, NEW.create_time, NEW.uid
        FROM "written_before".label_entries(NEW.labels) AS e
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;


--
-- Name: label_entries(bytea); Type: FUNCTION; Schema: written_before; Owner: -
--

CREATE FUNCTION written_before.label_entries(labels bytea, OUT key bytea, OUT value bytea) RETURNS SETOF record
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    total integer := octet_length(labels);
    place integer := 0;     -- of the byte that is read next
    entry_end integer := 0;
    field integer;
    size bigint;
    shift integer;
    byte integer;
BEGIN
    WHILE place < total LOOP
        field := get_byte(labels, place);
        place := place + 1;
        size := 0;
        shift := 0;
        LOOP
            IF place >= total OR shift > 28 THEN
                RETURN;
            END IF;
            byte := get_byte(labels, place);
            place := place + 1;
            size := size | ((byte & 127)::bigint << shift);
            shift := shift + 7;
            EXIT WHEN byte < 128;
        END LOOP;
        IF size > total - place THEN
            RETURN;
        END IF;
        IF place > entry_end THEN
            entry_end := place + size::integer;
            key := decode('', 'hex');
            value := key;
        ELSE
            IF field = 10 THEN
                key := "written_before".label_text(substring(labels FROM place + 1 FOR size::integer));
            ELSE
                value := "written_before".label_text(substring(labels FROM place + 1 FOR size::integer));
            END IF;
            place := place + size::integer;
        END IF;
        IF place >= entry_end THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;


--
-- Name: label_remove(); Type: FUNCTION; Schema: written_before; Owner: -
--

CREATE FUNCTION written_before.label_remove() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    entry record;
BEGIN
    FOR entry IN SELECT e.key, e.value FROM "written_before".label_entries(OLD.labels) AS e LOOP
        DELETE FROM "written_before".label AS l
            WHERE l.parent = OLD.parent AND l.key = entry.key AND l.value = entry.value
            AND l.create_time = OLD.create_time AND l.uid = OLD.uid;
    END LOOP;
    RETURN NULL;
END
$$;


--
-- Name: label_text(bytea); Type: FUNCTION; Schema: written_before; Owner: -
--

CREATE FUNCTION written_before.label_text(plain bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN octet_length(plain) <= 255 AND position(chr(92) IN encode(plain, 'escape')) = 0 THEN plain
        ELSE decode('ff', 'hex') || substring(plain FROM 1 FOR 255)
    END
$$;




--
-- Name: label; Type: TABLE; Schema: written_before; Owner: -
--

CREATE TABLE written_before.label (
    parent text NOT NULL COLLATE pg_catalog."C",
    key bytea NOT NULL,
    value bytea NOT NULL,
    create_time bigint NOT NULL,
    uid uuid NOT NULL
);


--
-- Name: operation; Type: TABLE; Schema: written_before; Owner: -
--

CREATE TABLE written_before.operation (
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
    result_kind smallint,
    name text NOT NULL COLLATE pg_catalog."C",
    parent text NOT NULL COLLATE pg_catalog."C",
    method text NOT NULL COLLATE pg_catalog."C",
    request_id text COLLATE pg_catalog."C",
    exclusive_key text COLLATE pg_catalog."C",
    request_digest bytea,
    request_fingerprint bytea,
    exclusive_digest bytea,
    labels bytea,
    origin bytea,
    metadata bytea,
    checkpoint bytea,
    result bytea,
    request bytea NOT NULL
)
WITH (fillfactor='75', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');
ALTER TABLE ONLY written_before.operation ALTER COLUMN metadata SET STORAGE EXTERNAL;
ALTER TABLE ONLY written_before.operation ALTER COLUMN checkpoint SET STORAGE EXTERNAL;
ALTER TABLE ONLY written_before.operation ALTER COLUMN result SET STORAGE EXTERNAL;
ALTER TABLE ONLY written_before.operation ALTER COLUMN request SET STORAGE EXTERNAL;


--
-- Name: operation_schema; Type: TABLE; Schema: written_before; Owner: -
--

CREATE TABLE written_before.operation_schema (
    version bigint NOT NULL
);


--
-- Data for Name: label; Type: TABLE DATA; Schema: written_before; Owner: -
--

INSERT INTO written_before.label (parent, key, value, create_time, uid) VALUES ('', '\x74696572', '\x676f6c64', 1795903354915685, '01a2242e-7821-73fa-8386-7dd30dd6c73f');
INSERT INTO written_before.label (parent, key, value, create_time, uid) VALUES ('projects/p', '\x74696572', '\x676f6c64', 1795903354924754, '01a2242e-7828-728a-b366-a31808430ab9');
INSERT INTO written_before.label (parent, key, value, create_time, uid) VALUES ('', '\x74696572', '\x73696c766572', 1795903354927492, '01a2242e-782e-75fa-b75d-1f2db50cc83b');
INSERT INTO written_before.label (parent, key, value, create_time, uid) VALUES ('', '\x74696572', '\x73696c766572', 1795903354937441, '01a2242e-7838-70bf-a6c7-ecc8bfc472f7');
INSERT INTO written_before.label (parent, key, value, create_time, uid) VALUES ('', '\x74696572', '\x676f6c64', 1795903354945378, '01a2242e-7840-7703-ba52-34a029044a97');
INSERT INTO written_before.label (parent, key, value, create_time, uid) VALUES ('', '\x74696572', '\x676f6c64', 1795903354951080, '01a2242e-7846-7315-9b35-8a6207714c24');
INSERT INTO written_before.label (parent, key, value, create_time, uid) VALUES ('', '\x74696572', '\x676f6c64', 1795903354959042, '01a2242e-784e-762c-83ad-298b07579021');


--
-- Data for Name: operation; Type: TABLE DATA; Schema: written_before; Owner: -
--

INSERT INTO written_before.operation (uid, revision, attempt, fence, max_attempts, retain_seconds, create_time, ready_time, update_time, start_time, cancel_time, delete_time, end_time, expire_time, lease_expire_time, lease_worker, retain_nanos, state, on_crash, result_kind, name, parent, method, request_id, exclusive_key, request_digest, request_fingerprint, exclusive_digest, labels, origin, metadata, checkpoint, result, request) VALUES ('01a2242e-7821-73fa-8386-7dd30dd6c73f', 1, 0, 0, 5, 3153600000, 1795903354915685, 1795903354915685, 1795903354915685, NULL, NULL, NULL, NULL, NULL, 253402300799999999, NULL, 0, 0, 0, NULL, 'operations/pending', '', '/s.Service/Method', 'r', 'key', '\x3251d2f59de97f03818ef365d3bbf318a8d875e12e2779b85bd6c4efcf97c082', '\x0707070707070707070707070707070707070707070707070707070707070707', '\x2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683', '\x0a0c0a04746965721204676f6c64', NULL, '\x0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512070a056669727374', NULL, NULL, '\x0a29747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e456d707479');
INSERT INTO written_before.operation (uid, revision, attempt, fence, max_attempts, retain_seconds, create_time, ready_time, update_time, start_time, cancel_time, delete_time, end_time, expire_time, lease_expire_time, lease_worker, retain_nanos, state, on_crash, result_kind, name, parent, method, request_id, exclusive_key, request_digest, request_fingerprint, exclusive_digest, labels, origin, metadata, checkpoint, result, request) VALUES ('01a2242e-7828-728a-b366-a31808430ab9', 2, 1, 1, 5, 3153600000, 1795903354924754, 1795903354924754, 1795903354924754, 1795903354924754, NULL, NULL, NULL, NULL, 1795903384924754, '00000000-0000-0000-0000-000000000001', 0, 1, 0, NULL, 'projects/p/operations/running', 'projects/p', '/s.Service/Method', NULL, NULL, NULL, NULL, NULL, '\x0a0c0a04746965721204676f6c64', NULL, '\x0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512070a056669727374', NULL, NULL, '\x0a29747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e456d707479');
INSERT INTO written_before.operation (uid, revision, attempt, fence, max_attempts, retain_seconds, create_time, ready_time, update_time, start_time, cancel_time, delete_time, end_time, expire_time, lease_expire_time, lease_worker, retain_nanos, state, on_crash, result_kind, name, parent, method, request_id, exclusive_key, request_digest, request_fingerprint, exclusive_digest, labels, origin, metadata, checkpoint, result, request) VALUES ('01a2242e-782e-75fa-b75d-1f2db50cc83b', 3, 1, 1, 5, 3153600000, 1795903354927492, 1795903354927492, 1795903354933231, 1795903354927492, 1795903354933231, NULL, NULL, NULL, 1795903384927492, '00000000-0000-0000-0000-000000000001', 0, 2, 0, NULL, 'operations/cancelling', '', '/s.Service/Method', NULL, NULL, NULL, NULL, NULL, '\x0a0e0a0474696572120673696c766572', NULL, '\x0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512070a056669727374', NULL, NULL, '\x0a29747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e456d707479');
INSERT INTO written_before.operation (uid, revision, attempt, fence, max_attempts, retain_seconds, create_time, ready_time, update_time, start_time, cancel_time, delete_time, end_time, expire_time, lease_expire_time, lease_worker, retain_nanos, state, on_crash, result_kind, name, parent, method, request_id, exclusive_key, request_digest, request_fingerprint, exclusive_digest, labels, origin, metadata, checkpoint, result, request) VALUES ('01a2242e-7838-70bf-a6c7-ecc8bfc472f7', 3, 1, 1, 5, 3153600000, 1795903354937441, 1795903354937441, 1795903354939019, 1795903354937441, NULL, NULL, NULL, NULL, 1795903384939019, '00000000-0000-0000-0000-000000000001', 0, 1, 0, NULL, 'operations/checkpointed', '', '/s.Service/Method', NULL, NULL, NULL, NULL, NULL, '\x0a0e0a0474696572120673696c766572', NULL, '\x0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512080a067365636f6e64', '\x0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512060a0468616c66', NULL, '\x0a29747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e456d707479');
INSERT INTO written_before.operation (uid, revision, attempt, fence, max_attempts, retain_seconds, create_time, ready_time, update_time, start_time, cancel_time, delete_time, end_time, expire_time, lease_expire_time, lease_worker, retain_nanos, state, on_crash, result_kind, name, parent, method, request_id, exclusive_key, request_digest, request_fingerprint, exclusive_digest, labels, origin, metadata, checkpoint, result, request) VALUES ('01a2242e-7840-7703-ba52-34a029044a97', 3, 1, 1, 5, 3153600000, 1795903354945378, 1795903354945378, 1795903354949549, 1795903354945378, NULL, NULL, 1795903354949549, 4949503354949549, NULL, NULL, 0, 3, 0, 0, 'operations/succeeded', '', '/s.Service/Method', NULL, NULL, NULL, NULL, NULL, '\x0a0c0a04746965721204676f6c64', NULL, '\x0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512070a056669727374', NULL, '\x0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c7565120a0a08726573706f6e7365', '\x0a29747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e456d707479');
INSERT INTO written_before.operation (uid, revision, attempt, fence, max_attempts, retain_seconds, create_time, ready_time, update_time, start_time, cancel_time, delete_time, end_time, expire_time, lease_expire_time, lease_worker, retain_nanos, state, on_crash, result_kind, name, parent, method, request_id, exclusive_key, request_digest, request_fingerprint, exclusive_digest, labels, origin, metadata, checkpoint, result, request) VALUES ('01a2242e-7846-7315-9b35-8a6207714c24', 3, 1, 1, 5, 3153600000, 1795903354951080, 1795903354951080, 1795903354957549, 1795903354951080, NULL, NULL, 1795903354957549, 4949503354957549, NULL, NULL, 0, 4, 0, 1, 'operations/failed', '', '/s.Service/Method', NULL, NULL, NULL, NULL, NULL, '\x0a0c0a04746965721204676f6c64', NULL, '\x0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512070a056669727374', NULL, '\x080512026e6f', '\x0a29747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e456d707479');
INSERT INTO written_before.operation (uid, revision, attempt, fence, max_attempts, retain_seconds, create_time, ready_time, update_time, start_time, cancel_time, delete_time, end_time, expire_time, lease_expire_time, lease_worker, retain_nanos, state, on_crash, result_kind, name, parent, method, request_id, exclusive_key, request_digest, request_fingerprint, exclusive_digest, labels, origin, metadata, checkpoint, result, request) VALUES ('01a2242e-784e-762c-83ad-298b07579021', 3, 1, 1, 5, 3153600000, 1795903354959042, 1795903354959042, 1795903354965442, 1795903354959042, NULL, 1795903354965442, NULL, NULL, 1795903384959042, '00000000-0000-0000-0000-000000000001', 0, 1, 0, NULL, 'operations/deleted', '', '/s.Service/Method', NULL, NULL, NULL, NULL, NULL, '\x0a0c0a04746965721204676f6c64', NULL, '\x0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512070a056669727374', NULL, NULL, '\x0a29747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e456d707479');


--
-- Data for Name: operation_schema; Type: TABLE DATA; Schema: written_before; Owner: -
--

INSERT INTO written_before.operation_schema (version) VALUES (2);


--
-- Name: label label_by_value; Type: CONSTRAINT; Schema: written_before; Owner: -
--

ALTER TABLE ONLY written_before.label
    ADD CONSTRAINT label_by_value PRIMARY KEY (parent, key, value, create_time, uid);


--
-- Name: operation operation_by_uid; Type: CONSTRAINT; Schema: written_before; Owner: -
--

ALTER TABLE ONLY written_before.operation
    ADD CONSTRAINT operation_by_uid PRIMARY KEY (uid);


--
-- Name: operation_by_create_time; Type: INDEX; Schema: written_before; Owner: -
--

CREATE INDEX operation_by_create_time ON written_before.operation USING btree (create_time, uid);


--
-- Name: operation_by_exclusive_key; Type: INDEX; Schema: written_before; Owner: -
--

CREATE UNIQUE INDEX operation_by_exclusive_key ON written_before.operation USING btree (exclusive_digest) WHERE ((exclusive_digest IS NOT NULL) AND (end_time IS NULL));


--
-- Name: operation_by_name; Type: INDEX; Schema: written_before; Owner: -
--

CREATE UNIQUE INDEX operation_by_name ON written_before.operation USING btree (name);


--
-- Name: operation_by_parent; Type: INDEX; Schema: written_before; Owner: -
--

CREATE INDEX operation_by_parent ON written_before.operation USING btree (parent, create_time, uid);


--
-- Name: operation_by_request; Type: INDEX; Schema: written_before; Owner: -
--

CREATE UNIQUE INDEX operation_by_request ON written_before.operation USING btree (request_digest) WHERE (request_digest IS NOT NULL);


--
-- Name: operation_by_state; Type: INDEX; Schema: written_before; Owner: -
--

CREATE INDEX operation_by_state ON written_before.operation USING btree (parent, method, state, ((create_time + 0)), uid);


--
-- Name: operation_expiring; Type: INDEX; Schema: written_before; Owner: -
--

CREATE INDEX operation_expiring ON written_before.operation USING btree (expire_time, uid) WHERE (expire_time IS NOT NULL);


--
-- Name: operation_leased; Type: INDEX; Schema: written_before; Owner: -
--

CREATE INDEX operation_leased ON written_before.operation USING btree (lease_expire_time, uid) WHERE (lease_expire_time IS NOT NULL);


--
-- Name: operation_ready; Type: INDEX; Schema: written_before; Owner: -
--

CREATE INDEX operation_ready ON written_before.operation USING btree (method, ready_time, uid) WHERE (state = 0);


--
-- Name: operation label_add; Type: TRIGGER; Schema: written_before; Owner: -
--

CREATE TRIGGER label_add AFTER INSERT ON written_before.operation FOR EACH ROW WHEN ((new.labels IS NOT NULL)) EXECUTE FUNCTION written_before.label_add();


--
-- Name: operation label_remove; Type: TRIGGER; Schema: written_before; Owner: -
--

CREATE TRIGGER label_remove AFTER DELETE ON written_before.operation FOR EACH ROW WHEN ((old.labels IS NOT NULL)) EXECUTE FUNCTION written_before.label_remove();


--
-- PostgreSQL database dump complete
--


