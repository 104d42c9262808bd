//! Names, permissions and errors of google.longrunning.Operations.

mod authorizing;
mod bindings;
mod errors;
pub(crate) mod fixture;
mod isolation;
#[cfg(feature = "jwt")]
mod jwt;
mod methods;
mod owners;
mod pages;
mod principals;
mod transport;
mod wire;
