//! Tests of the whole path: a service, its client, the store, and TCP between them. The tests are
//! in `tests/`; this crate is empty.
