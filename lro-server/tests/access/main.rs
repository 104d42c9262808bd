//! Names, permissions and errors of google.longrunning.Operations.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod authorizing;
mod bindings;
mod errors;
mod fixture;
mod isolation;
#[cfg(feature = "auth-jwt")]
mod jwt;
mod owners;
mod pages;
mod principals;
mod wire;
