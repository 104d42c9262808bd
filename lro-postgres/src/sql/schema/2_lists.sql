-- Labels once more, for lists: each in the order of the list. The triggers keep them, and not the program, so that
-- processes of a version before this one keep them as well, and nothing that removes an operation can forget them.
CREATE TABLE IF NOT EXISTS {schema}.label (
    parent text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    create_time bigint NOT NULL,
    uid uuid NOT NULL,
    CONSTRAINT label_by_value PRIMARY KEY (parent, key, value, create_time, uid)
);

-- What stands in it for a text. Texts are compared in their Unicode normal form, of which PostgreSQL may know another
-- version: those that are ASCII are that form, and the others come behind all of them, to be looked at by the program.
-- (A backslash makes a text such a one as well: so `encode` says what is no ASCII.)
CREATE OR REPLACE FUNCTION {schema}.label_text(plain bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$
    SELECT CASE
        WHEN octet_length(plain) <= 255 AND position(chr(92) IN encode(plain, 'escape')) = 0 THEN plain
        ELSE decode('ff', 'hex') || substring(plain FROM 1 FOR 255)
    END
$body$;

-- The labels of an encoded map<string, string> in field 1. Of what is no such map, those before the damage.
CREATE OR REPLACE FUNCTION {schema}.label_entries(labels bytea, OUT key bytea, OUT value bytea) RETURNS SETOF record
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
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
                key := {schema}.label_text(substring(labels FROM place + 1 FOR size::integer));
            ELSE
                value := {schema}.label_text(substring(labels FROM place + 1 FOR size::integer));
            END IF;
            place := place + size::integer;
        END IF;
        IF place >= entry_end THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$body$;

CREATE OR REPLACE FUNCTION {schema}.label_add() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO {schema}.label (parent, key, value, create_time, uid)
        SELECT NEW.parent, e.key, e.value, NEW.create_time, NEW.uid
        FROM {schema}.label_entries(NEW.labels) AS e
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$body$;

-- Each by the whole key, whatever old statistics say.
CREATE OR REPLACE FUNCTION {schema}.label_remove() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $body$
DECLARE
    entry record;
BEGIN
    FOR entry IN SELECT e.key, e.value FROM {schema}.label_entries(OLD.labels) AS e LOOP
        DELETE FROM {schema}.label AS l
            WHERE l.parent = OLD.parent AND l.key = entry.key AND l.value = entry.value
            AND l.create_time = OLD.create_time AND l.uid = OLD.uid;
    END LOOP;
    RETURN NULL;
END
$body$;

-- None of this locks readers out, and neither is made again.
DO $body$
BEGIN
    CREATE TRIGGER label_add AFTER INSERT ON {schema}.operation
        FOR EACH ROW WHEN (NEW.labels IS NOT NULL) EXECUTE FUNCTION {schema}.label_add();
    CREATE TRIGGER label_remove AFTER DELETE ON {schema}.operation
        FOR EACH ROW WHEN (OLD.labels IS NOT NULL) EXECUTE FUNCTION {schema}.label_remove();
EXCEPTION
    WHEN duplicate_object THEN NULL;
END
$body$;
