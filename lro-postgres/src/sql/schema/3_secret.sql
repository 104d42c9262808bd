-- Secrets that are created once: `page_token_key`, which page tokens are encrypted with. Its 32 bytes are those of
-- two random UUIDs, 244 of them random bits: every release has a secure source for those, and for nothing else.
CREATE TABLE IF NOT EXISTS {schema}.operation_secret (
    name text COLLATE "C" NOT NULL,
    value bytea NOT NULL,
    CONSTRAINT operation_secret_by_name PRIMARY KEY (name)
);

INSERT INTO {schema}.operation_secret (name, value)
VALUES ('page_token_key', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))
ON CONFLICT DO NOTHING;
