//! Google's clients for Rust against operations over HTTP/JSON: the tests are in `tests`.
