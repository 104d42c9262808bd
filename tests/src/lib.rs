//! Tests of the whole path: a service, its client, the store, and TCP between them. The tests are
//! in `tests/`; this crate holds what `lro_build` generates for them, as a service's own crate of
//! protos does.

/// The services of `library.v1`.
#[allow(missing_docs, reason = "the proto is there to be tested")]
pub mod library {
    tonic::include_proto!("library.v1");
}

/// The service of `poison.v1`.
#[allow(missing_docs, reason = "the proto is there to be tested")]
pub mod poison {
    tonic::include_proto!("poison.v1");
}
