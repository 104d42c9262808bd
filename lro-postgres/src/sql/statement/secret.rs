//! The key of page tokens.

pub(crate) const PAGE_TOKEN_KEY: &str = "SELECT value FROM {secret} WHERE name = 'page_token_key'";

/// Given the key, unless another node has created one.
pub(crate) const CREATE_PAGE_TOKEN_KEY: &str = "INSERT INTO {secret} (name, value) VALUES ('page_token_key', $1::bytea) ON CONFLICT DO NOTHING";
