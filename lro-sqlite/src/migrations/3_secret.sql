-- Secrets that are created once: `page_token_key`, which page tokens are encrypted with.
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
